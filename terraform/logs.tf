resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_338:Ninety days and less are common rules for what is about viewers; a variable says how long.
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts every log; a key of one's own is a variable.
  for_each = local.all_functions

  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# Beneath /aws/vendedlogs/ API Gateway is let in without an entry of its own in the account's
# log resource policy, which is limited in size.
resource "aws_cloudwatch_log_group" "api" {
  # checkov:skip=CKV_AWS_338:Ninety days and less are common rules for what is about viewers; a variable says how long.
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts every log; a key of one's own is a variable.
  name              = "/aws/vendedlogs/${local.prefix}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

locals {
  # The answers of API Gateway itself that are counted, by the name of their metric.
  turned_away = { unauthorized = "401", throttled = "429" }
}

# A request that API Gateway turns away reaches no function, so no event counts it. Its line in the access log does. A
# function answers 429 too, to a start above the token bound: that line has the status of the function's invocation.
resource "aws_cloudwatch_log_metric_filter" "turned_away" {
  for_each = { for metric, status in local.turned_away : metric => status if var.monitoring }

  name           = "${local.prefix}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.api.name
  pattern        = "{ $.status = \"${each.value}\" && $.integrationStatus = \"-\" }"

  metric_transformation {
    namespace  = "StreamLimiter"
    name       = each.key
    value      = "1"
    unit       = "Count"
    dimensions = { ApiId = "$.apiId" } # one value for each stage: one metric
  }
}

# One user's events can be found only where every process hashes users under the same key. `make deploy` makes one.
check "log_hash_key" {
  assert {
    condition     = var.log_hash_key_parameter != "" || nonsensitive(var.log_hash_key != "")
    error_message = "No common key: each process hashes users in its log under a random key, so that the events of one user cannot be found. Put a key into an SSM parameter, and set log_hash_key_parameter to its name: docs/security.md#logs."
  }
}
