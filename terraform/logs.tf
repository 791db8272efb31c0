resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_338:Privacy rules for viewers' data often allow ninety days or less; a variable sets the period.
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts every log; a variable sets a customer key.
  for_each = local.all_functions

  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# Below /aws/vendedlogs/ API Gateway may write without its own entry in the account's log resource policy, which is
# limited in size.
resource "aws_cloudwatch_log_group" "api" {
  # checkov:skip=CKV_AWS_338:Privacy rules for viewers' data often allow ninety days or less; a variable sets the period.
  # checkov:skip=CKV_AWS_158:CloudWatch encrypts every log; a variable sets a customer key.
  name              = "/aws/vendedlogs/${local.prefix}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

locals {
  # The statuses of API Gateway's own responses that are counted, by metric name.
  turned_away = { unauthorized = "401", throttled = "429" }
}

# A request that API Gateway rejects reaches no function, so only its line in the access log counts it. A function also
# responds with 429, to a start above the token bound; that line has the status of the function's invocation.
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

# One user's events can be found only if every process hashes users under the same key. `make deploy` creates one.
check "log_hash_key" {
  assert {
    condition     = var.log_hash_key_parameter != "" || nonsensitive(var.log_hash_key != "")
    error_message = "No common key: each process hashes users in its log under a random key, so the events of one user cannot be found. Put a key into an SSM parameter, and set log_hash_key_parameter to its name: docs/security.md#logs."
  }
}
