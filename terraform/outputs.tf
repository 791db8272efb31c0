output "api_url" {
  description = "Where the API answers, without a slash at its end; the routes follow, such as /stream/start."
  value       = aws_apigatewayv2_api.streams.api_endpoint
}

output "heartbeat_url" {
  description = "Where a playback token suffices for a heartbeat, with a slash at its end; null where heartbeat_url is off."
  value       = one(aws_lambda_function_url.heartbeat[*].function_url)
}

output "api_execution_arn" {
  description = "What an IAM policy calls the API's stage. Give a backend `backend_arns` and an operator `operator_arns`: with /* after it, this covers both."
  value       = aws_apigatewayv2_stage.default.execution_arn
}

# Method and path in full: a * of IAM's matches slashes too, so that /*/stream* would cover GET/operator/streams.
output "backend_arns" {
  description = "The routes that a backend calls under auth = iam, for execute-api:Invoke; not those of operators."
  value = [
    for route in local.player_routes : "${aws_apigatewayv2_stage.default.execution_arn}/${replace(route.key, " ", "")}"
  ]
}

output "operator_arns" {
  description = "The routes that show any user's streams and end them, for execute-api:Invoke under every auth."
  value = [
    for route in local.operator_routes : "${aws_apigatewayv2_stage.default.execution_arn}/${replace(route.key, " ", "")}"
  ]
}

output "table_name" {
  description = "Name of the DynamoDB table that holds one item per user."
  value       = aws_dynamodb_table.streams.name
}

output "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  value       = aws_dynamodb_table.streams.deletion_protection_enabled
}

output "function_names" {
  description = "Names of the Lambda functions by their key: start, end, heartbeat, list, operator, and heartbeat-url where there is one."
  value       = local.function_names
}

output "live_arns" {
  description = "ARNs of what the API, or the heartbeat URL, calls of each function: its alias `live`, which `make rollback` moves."
  value = merge(
    { for key, alias in aws_lambda_alias.live : key => alias.arn },
    { for key, alias in aws_lambda_alias.heartbeat_url : key => alias.arn },
  )
}

output "log_group_names" {
  description = "Names of the functions' log groups by the function's key; `api` is the API's access log."
  value = merge(
    { for key, group in aws_cloudwatch_log_group.function : key => group.name },
    { api = aws_cloudwatch_log_group.api.name },
  )
}
