"""A CDK app with a Customer Profiles domain, and a role that may read what is in it.

cdk deploy --app "python examples/cdk/app.py"
"""

from aws_cdk import App, CfnOutput, CustomResource, Fn, RemovalPolicy, Stack, aws_iam
from constructs import Construct


class CustomerProfiles(Stack):
    """The domain and a role that uses it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        domain = CustomResource(
            self,
            "Domain",
            resource_type="Custom::CustomerProfilesDomain",
            service_token=Fn.import_value("customer-profiles-domain-provider-ServiceToken"),
            # The domain and its data stay when the stack is deleted.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            properties={
                # A Connect instance may use only domains named amazon-connect-..., and a name cannot be changed.
                "DomainName": "amazon-connect-web-shop",
                "DefaultExpirationDays": 366,
                "DeletionProtection": True,
                "Matching": {"Enabled": True, "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "03:00"}},
                "Tags": {"Team": "web"},
            },
        )
        arn = domain.get_att_string("DomainArn")

        reader = aws_iam.Role(self, "Reader", assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"))
        reader.add_to_policy(aws_iam.PolicyStatement(actions=["profile:SearchProfiles"], resources=[arn]))

        CfnOutput(self, "DomainName", value=domain.ref)
        CfnOutput(self, "DomainArn", value=arn)


app = App()
CustomerProfiles(app, "WebShopCustomerProfiles")
app.synth()
