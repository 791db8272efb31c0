# One item per user. Only the key is declared: DynamoDB wants nothing else of an item's shape.
resource "aws_dynamodb_table" "streams" {
  # checkov:skip=CKV_AWS_119:It is encrypted with the account's key for DynamoDB; another would add a KMS permission to every role.
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

  server_side_encryption {
    enabled = true
  }
}
