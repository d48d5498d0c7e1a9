"""crhelper with its defaults and Powertools, as in the first examples of their documentation."""

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from crhelper import CfnResource

logger = Logger(service="customer-profiles-domain")
metrics = Metrics(namespace="CustomerProfilesDomain", service="customer-profiles-domain")
helper = CfnResource()
client = boto3.client("customer-profiles")


@helper.create
def create(event, context):  # type: ignore[no-untyped-def]
    properties = event["ResourceProperties"]
    logger.info("create", domain_name=properties["DomainName"])
    client.create_domain(
        DomainName=properties["DomainName"], DefaultExpirationDays=int(properties["DefaultExpirationDays"])
    )
    metrics.add_metric("Created", MetricUnit.Count, 1)
    return properties["DomainName"]


@metrics.log_metrics
def lambda_handler(event, context):  # type: ignore[no-untyped-def]
    helper(event, context)
