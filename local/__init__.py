"""Everything that stands in for AWS on one's own machine; nothing of it reaches the Lambda function."""
