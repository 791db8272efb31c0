# Video behind the edge: a distribution over a private bucket that requires a playback token.
# Put the keys into the store before the first request: docs/edge.md.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

# Region and credentials come from the environment.
provider "aws" {}

variable "stage" {
  description = "Name of this deployment, such as dev or prod."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket for the video, which must be globally unique."
  type        = string
}

variable "page_origins" {
  description = "Origins of the pages whose players load the video, such as https://www.example.com."
  type        = list(string)

  validation {
    condition     = length(var.page_origins) > 0 && alltrue([for origin in var.page_origins : can(regex("^https?://[a-z0-9.:-]+$", origin))])
    error_message = "page_origins must be one or more of scheme://host[:port], without a path; * does not work with cookies."
  }
}

module "edge" {
  # From outside this repository: "git::https://…/stream-limiter.git//terraform/edge?ref=<commit>".
  source = "../../terraform/edge"

  name  = "video"
  stage = var.stage
}

resource "aws_s3_bucket" "video" {
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "video" {
  bucket = aws_s3_bucket.video.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Only the distribution may read the bucket: otherwise tokens could be bypassed.
resource "aws_s3_bucket_policy" "video" {
  bucket     = aws_s3_bucket.video.id
  depends_on = [aws_s3_bucket_public_access_block.video]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyThisDistribution"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.video.arn}/*"
      Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.video.arn } }
    }]
  })
}

# Preflights pass the function without a token, and the bucket answers them.
resource "aws_s3_bucket_cors_configuration" "video" {
  bucket = aws_s3_bucket.video.id

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = var.page_origins
    allowed_headers = ["range", "cta-common-access-token"]
    max_age_seconds = 3600
  }
}

resource "aws_cloudfront_origin_access_control" "video" {
  name                              = "video-${var.stage}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# Neither queries nor cookies are in the cache key, so viewers share a segment. The page's origin is in the key, because
# the bucket's answer contains it.
resource "aws_cloudfront_cache_policy" "video" {
  name        = "video-${var.stage}"
  comment     = "One copy per page origin"
  min_ttl     = 1
  default_ttl = 86400
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "whitelist"

      headers {
        items = ["Origin"]
      }
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# The headers of a preflight are forwarded to the bucket.
data "aws_cloudfront_origin_request_policy" "cors" {
  name = "Managed-CORS-S3Origin"
}

resource "aws_cloudfront_distribution" "video" {
  comment         = "Video of ${var.stage}"
  enabled         = true
  is_ipv6_enabled = false # the API is reached over IPv4: a token bound to an address needs the same one here
  http_version    = "http2and3"

  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.video.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.video.id
  }

  default_cache_behavior {
    target_origin_id         = "bucket"
    allowed_methods          = ["GET", "HEAD", "OPTIONS"]
    cached_methods           = ["GET", "HEAD"]
    viewer_protocol_policy   = "https-only" # a token is never sent unencrypted
    cache_policy_id          = aws_cloudfront_cache_policy.video.id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.cors.id
    compress                 = true

    function_association {
      event_type   = "viewer-request"
      function_arn = module.edge.function_arn
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

output "video_url" {
  description = "URL of the video."
  value       = "https://${aws_cloudfront_distribution.video.domain_name}"
}

output "key_value_store_arn" {
  description = "The store whose value `config` contains the keys and the mode."
  value       = module.edge.key_value_store_arn
}
