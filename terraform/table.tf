# One item per user. Only the key is declared: DynamoDB needs no other attribute definition.
resource "aws_dynamodb_table" "streams" {
  # checkov:skip=CKV_AWS_119:DynamoDB encrypts every table; a variable sets a customer key, which costs per request.
  name                        = local.prefix
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "userId"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "userId"
    type = "S"
  }

  # Removes the items of inactive users. It may be days late, so no decision depends on it.
  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # If not enabled, a key owned by AWS encrypts the table.
  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}
