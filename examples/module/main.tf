# The service in your own Terraform configuration: an existing backend limits a household's screens.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

# Region and credentials come from the environment. The module has no provider block: it uses this one.
provider "aws" {}

variable "stage" {
  description = "Name of this deployment, such as dev or prod."
  type        = string
}

variable "package_path" {
  description = "Path of the zip that `make package` built."
  type        = string
}

variable "auth" {
  description = "Authentication of callers; none is for private networks."
  type        = string
  default     = "iam"
}

variable "monitoring" {
  description = "Whether to create the dashboard, the alarms and the saved queries."
  type        = bool
  default     = true
}

variable "log_hash_key_parameter" {
  description = "Name of your SSM parameter with the key of the hash that replaces a user in logs; the plan warns without one."
  type        = string
  default     = ""
}

module "streams" {
  # From outside this repository: "git::https://…/stream-limiter.git//terraform?ref=<commit>".
  source = "../../terraform"

  name         = "household"
  stage        = var.stage
  package_path = var.package_path
  auth         = var.auth
  max_streams  = 3
  group_limits = { uhd = 1 } # of the three, for starts with the group uhd
  on_limit     = "reject"
  monitoring   = var.monitoring
  tags         = { example = "module" }

  log_hash_key_parameter = var.log_hash_key_parameter
}

# Attach this to the role of the backend that acts for its users: it allows only the routes for backends.
resource "aws_iam_policy" "backend" {
  name = "household-${var.stage}-backend"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "execute-api:Invoke"
      Resource = module.streams.backend_arns
    }]
  })
}

output "api_url" {
  description = "URL for the backend's calls."
  value       = module.streams.api_url
}

output "backend_policy_arn" {
  description = "Policy that allows the backend's calls."
  value       = aws_iam_policy.backend.arn
}
