# One item per user. Only the key is declared: DynamoDB wants nothing else of an item's shape.
resource "aws_dynamodb_table" "streams" {
  # checkov:skip=CKV_AWS_119:DynamoDB encrypts every table; a key of one's own is a variable, as it costs per request.
  name                        = local.prefix
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "userId"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "userId"
    type = "S"
  }

  # Sweeps the items of users who stay away. It may be days late: no decision trusts it.
  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # Not enabled means: with a key that AWS owns.
  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}
