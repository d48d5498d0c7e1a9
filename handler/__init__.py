"""Custom::CustomerProfilesDomain: Amazon Connect Customer Profiles domains under CloudFormation."""
