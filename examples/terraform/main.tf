# A Customer Profiles domain in a Terraform configuration, in a CloudFormation stack of its own.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "domain_name" {
  description = "The domain's name; a Connect instance may use only domains whose names begin with amazon-connect-"
  type        = string
  default     = "amazon-connect-web-shop"
}

resource "aws_cloudformation_stack" "domain" {
  name          = "customer-profiles-${var.domain_name}"
  template_body = file("${path.module}/domain.yaml")

  parameters = {
    DomainName = var.domain_name
  }
}

output "domain_name" {
  description = "The domain's name, known once the domain exists"
  value       = aws_cloudformation_stack.domain.outputs["DomainName"]
}

output "domain_arn" {
  description = "The domain's ARN, for policies"
  value       = aws_cloudformation_stack.domain.outputs["DomainArn"]
}
