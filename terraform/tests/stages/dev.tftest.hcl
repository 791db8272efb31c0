# terraform/stages/dev.tfvars, unchanged.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "dev"
  package_path = "tests/package.zip"

  log_hash_key_parameter = "/stream-limiter-dev-log-hash-key" # as `make deploy` sets it
}

run "the_stage_is_deployable_and_not_open" {
  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.function : route.authorization_type == "AWS_IAM"])
    error_message = "Anyone on the internet may call it."
  }

  assert {
    condition     = !aws_dynamodb_table.streams.deletion_protection_enabled && length(aws_cloudwatch_dashboard.streams) == 0
    error_message = "It cannot be deleted, or has avoidable costs."
  }
}
