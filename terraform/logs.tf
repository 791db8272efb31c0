resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

# Beneath /aws/vendedlogs/ API Gateway is let in without an entry of its own in the account's
# log resource policy, which is limited in size.
resource "aws_cloudwatch_log_group" "api" {
  name              = "/aws/vendedlogs/${local.prefix}-api"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}
