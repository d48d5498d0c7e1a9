"""The shortest possible handler: import, one client, CreateDomain, PUT."""

import json
import urllib.request

import boto3

client = boto3.client("customer-profiles")


def lambda_handler(event, context):  # type: ignore[no-untyped-def]
    properties = event["ResourceProperties"]
    client.create_domain(
        DomainName=properties["DomainName"], DefaultExpirationDays=int(properties["DefaultExpirationDays"])
    )
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": properties["DomainName"]}
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request)
