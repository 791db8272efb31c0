# The bucket of the states. Nothing is created; the provider is mocked.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::states-of-ours"
    }
  }
}

variables {
  bucket = "states-of-ours"
}

run "the_bucket_is_private_and_versioned" {
  assert {
    condition     = aws_s3_bucket_versioning.states.versioning_configuration[0].status == "Enabled"
    error_message = "A corrupted state could not be restored."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.states.block_public_acls
      && aws_s3_bucket_public_access_block.states.block_public_policy
      && aws_s3_bucket_public_access_block.states.ignore_public_acls
      && aws_s3_bucket_public_access_block.states.restrict_public_buckets
    )
    error_message = "The states are not private."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.states.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "The states are not encrypted at rest."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.states.policy).Statement == [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::states-of-ours", "arn:aws:s3:::states-of-ours/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The states may be sent unencrypted."
  }
}

run "an_invalid_bucket_name" {
  command = plan

  variables {
    bucket = "States"
  }

  expect_failures = [var.bucket]
}
