# The bucket that holds Terraform's states, one object per stage: `make remote-state STAGE=prod BUCKET=…`.
# Its own state stays on the machine that made it: nothing here changes, and a bucket can be imported.

resource "aws_s3_bucket" "states" {
  # checkov:skip=CKV_AWS_18:CloudTrail knows who read a state; access logs would need a second bucket.
  # checkov:skip=CKV_AWS_144:A lost region is the service's own loss, and its state would describe nothing.
  # checkov:skip=CKV_AWS_145:AWS's own key for S3 keeps it unreadable at rest; a key of one's own is one more thing to lose.
  # checkov:skip=CKV2_AWS_61:Every version of a state is kept: it is some kilobytes, and the way back.
  # checkov:skip=CKV2_AWS_62:Nobody waits for a state to change.
  bucket = var.bucket
  tags   = var.tags

  # Not deleted with what it holds: without its state a stage can be neither changed nor destroyed.
  force_destroy = false
}

# A state that a bad apply has spoilt can be brought back.
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

# A state holds every setting in clear: it never travels over an open line.
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
