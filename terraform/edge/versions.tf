# No provider block: the region and the credentials come from whoever uses this folder as a module. CloudFront is in
# every region at once.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
