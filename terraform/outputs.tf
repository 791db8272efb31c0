output "api_url" {
  description = "URL of the API, without a trailing slash; append a route such as /stream/start."
  value       = aws_apigatewayv2_api.streams.api_endpoint
}

output "api_id" {
  description = "ID of the API, as the API mapping of a custom domain name needs it; its stage is $default."
  value       = aws_apigatewayv2_api.streams.id
}

output "heartbeat_url" {
  description = "URL for heartbeats with a playback token instead of a login, with a trailing slash; null if heartbeat_url is off."
  value       = one(aws_lambda_function_url.heartbeat[*].function_url)
}

output "api_execution_arn" {
  description = "ARN of the API's stage for IAM policies. Use `backend_arns` for a backend and `operator_arns` for an operator: with /* appended, this ARN covers both."
  value       = aws_apigatewayv2_stage.default.execution_arn
}

# Method and path in full: a * in an IAM policy also matches slashes, so /*/stream* would cover GET/operator/streams.
output "backend_arns" {
  description = "ARNs of the routes that a backend calls under auth = iam, for execute-api:Invoke; the operators' routes are not included."
  value = [
    for route in local.player_routes : "${aws_apigatewayv2_stage.default.execution_arn}/${replace(route.key, " ", "")}"
  ]
}

output "operator_arns" {
  description = "ARNs of the routes that show and end any user's streams, for execute-api:Invoke under every auth."
  value = [
    for route in local.operator_routes : "${aws_apigatewayv2_stage.default.execution_arn}/${replace(route.key, " ", "")}"
  ]
}

output "table_name" {
  description = "Name of the DynamoDB table that holds one item per user."
  value       = aws_dynamodb_table.streams.name
}

output "table_arn" {
  description = "ARN of the table, as a backup plan or an operator's policy needs it."
  value       = aws_dynamodb_table.streams.arn
}

output "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table."
  value       = aws_dynamodb_table.streams.deletion_protection_enabled
}

output "function_names" {
  description = "Names of the Lambda functions by key: start, end, heartbeat, list, operator, and heartbeat-url if it exists."
  value       = local.function_names
}

output "role_names" {
  description = "Names of the functions' roles by function key, to attach further policies."
  value       = { for key, role in aws_iam_role.function : key => role.name }
}

output "live_arns" {
  description = "ARNs of each function's alias `live`, which the API or the heartbeat URL calls and `make rollback` moves."
  value = merge(
    { for key, alias in aws_lambda_alias.live : key => alias.arn },
    { for key, alias in aws_lambda_alias.heartbeat_url : key => alias.arn },
  )
}

output "log_group_names" {
  description = "Names of the functions' log groups by function key; `api` is the API's access log."
  value = merge(
    { for key, group in aws_cloudwatch_log_group.function : key => group.name },
    { api = aws_cloudwatch_log_group.api.name },
  )
}
