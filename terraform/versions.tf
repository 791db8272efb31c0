# No provider block: the region and the credentials come from the environment, or from
# whoever uses this folder as a module.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
