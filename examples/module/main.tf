# The service inside a Terraform of your own: a household's screens, limited by a backend that you have already.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

# Region and credentials come from the environment. The module has no provider block: it takes this one.
provider "aws" {}

variable "stage" {
  description = "Name of this copy of everything, such as dev or prod."
  type        = string
}

variable "package_path" {
  description = "Path of the zip that `make package` built."
  type        = string
}

variable "auth" {
  description = "How callers are authenticated; none is for networks that keep others out."
  type        = string
  default     = "iam"
}

variable "monitoring" {
  description = "Whether the dashboard, the alarms and the saved queries are made."
  type        = bool
  default     = true
}

variable "log_hash_key_parameter" {
  description = "Name of an SSM parameter of yours with the key of the hash that stands for a user in logs; the plan warns without one."
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
  group_limits = { uhd = 1 } # of the three, for players that name the group uhd when they start
  on_limit     = "reject"
  monitoring   = var.monitoring
  tags         = { example = "module" }

  log_hash_key_parameter = var.log_hash_key_parameter
}

# Attach it to the role of the backend that speaks for its users: it may call the routes for backends, and nothing else.
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
  description = "Where the backend calls."
  value       = module.streams.api_url
}

output "backend_policy_arn" {
  description = "What lets it call."
  value       = aws_iam_policy.backend.arn
}
