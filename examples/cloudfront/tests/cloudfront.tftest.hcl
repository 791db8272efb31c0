# The example is secure: only the distribution reads the bucket, and every request passes the function.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::video-of-ours"
    }
  }

  mock_resource "aws_cloudfront_key_value_store" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:key-value-store/0f2b6a52-5f1e-4b53-9f6c-6d6c1a2b3c4d"
    }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:function/video-test-viewer-request"
    }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE"
    }
  }
}

variables {
  stage        = "test"
  bucket       = "video-of-ours"
  page_origins = ["https://www.example.com"]
}

run "every_request_passes_the_function" {
  assert {
    condition = [for each in aws_cloudfront_distribution.video.default_cache_behavior[0].function_association : each] == [{
      event_type   = "viewer-request"
      function_arn = module.edge.function_arn
    }]
    error_message = "Video is served without a token."
  }

  assert {
    condition     = length(aws_cloudfront_distribution.video.ordered_cache_behavior) == 0
    error_message = "Another behaviour would need the function too."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.video.policy).Statement == [{
      Sid       = "OnlyThisDistribution"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::video-of-ours/*"
      Condition = { StringEquals = { "AWS:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE" } }
    }]
    error_message = "The bucket can be read without the distribution."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.video.block_public_acls
      && aws_s3_bucket_public_access_block.video.block_public_policy
      && aws_s3_bucket_public_access_block.video.ignore_public_acls
      && aws_s3_bucket_public_access_block.video.restrict_public_buckets
    )
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = aws_cloudfront_distribution.video.default_cache_behavior[0].viewer_protocol_policy == "https-only"
    error_message = "Tokens are sent unencrypted."
  }

  assert {
    condition     = !aws_cloudfront_distribution.video.is_ipv6_enabled
    error_message = "A player has one address at the API and another here."
  }

  assert {
    condition     = contains(one(aws_s3_bucket_cors_configuration.video.cors_rule).allowed_headers, "cta-common-access-token")
    error_message = "A preflight for the token's header is refused."
  }
}

run "a_token_is_not_part_of_the_cache_key" {
  assert {
    condition = (
      aws_cloudfront_cache_policy.video.parameters_in_cache_key_and_forwarded_to_origin[0].cookies_config[0].cookie_behavior == "none"
      && aws_cloudfront_cache_policy.video.parameters_in_cache_key_and_forwarded_to_origin[0].query_strings_config[0].query_string_behavior == "none"
    )
    error_message = "Each viewer would have a separate copy."
  }
}

run "any_page" {
  command = plan

  variables {
    page_origins = ["*"]
  }

  expect_failures = [var.page_origins]
}
