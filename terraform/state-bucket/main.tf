# The bucket for Terraform's states, one object per stage: `make remote-state STAGE=prod BUCKET=…`.
# Its own state stays on the machine that created it: nothing here changes, and a bucket can be imported.

resource "aws_s3_bucket" "states" {
  # checkov:skip=CKV_AWS_18:CloudTrail records who read a state; access logs would need a second bucket.
  # checkov:skip=CKV_AWS_144:If the region is lost, so is the service that the state describes.
  # checkov:skip=CKV_AWS_145:AWS's own key for S3 encrypts it at rest; a customer key could be lost.
  # checkov:skip=CKV2_AWS_61:Every version of a state is kept for recovery; each is a few kilobytes.
  # checkov:skip=CKV2_AWS_62:No one needs a notification of a changed state.
  bucket = var.bucket
  tags   = var.tags

  # Refuse to delete a bucket with content: without its state a stage can be neither changed nor destroyed.
  force_destroy = false
}

# A state corrupted by a bad apply can be restored.
resource "aws_s3_bucket_versioning" "states" {
  bucket = aws_s3_bucket.states.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "states" {
  bucket = aws_s3_bucket.states.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "states" {
  bucket = aws_s3_bucket.states.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# A state holds every setting in plain text, so it is only sent encrypted.
resource "aws_s3_bucket_policy" "states" {
  bucket     = aws_s3_bucket.states.id
  depends_on = [aws_s3_bucket_public_access_block.states]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.states.arn, "${aws_s3_bucket.states.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
