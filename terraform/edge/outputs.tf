output "function_arn" {
  description = "ARN of the function. Attach it to the viewer requests of each cache behaviour that serves video."
  value       = aws_cloudfront_function.viewer_request.arn
}

output "function_name" {
  description = "Name of the function; its log is /aws/cloudfront/function/<name> in us-east-1."
  value       = aws_cloudfront_function.viewer_request.name
}

output "key_value_store_arn" {
  description = "ARN of the KeyValueStore whose value `config` holds keys and mode."
  value       = aws_cloudfront_key_value_store.edge.arn
}
