# terraform/stages/prod.tfvars, unchanged.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "prod"
  package_path = "tests/package.zip"

  log_hash_key_parameter = "/stream-limiter-prod-log-hash-key" # as `make deploy` sets it
}

run "the_issuer_is_required" {
  command = plan

  expect_failures = [var.jwt_issuer, var.jwt_audience]
}

run "the_stage_is_monitored_and_protected" {
  variables {
    jwt_issuer   = "https://login.example.com/"
    jwt_audience = ["streams"]
  }

  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.function : route.authorization_type == (startswith(key, "operator-") ? "AWS_IAM" : "JWT")])
    error_message = "A route can be called without a token."
  }

  assert {
    condition = (
      aws_dynamodb_table.streams.deletion_protection_enabled
      && aws_dynamodb_table.streams.point_in_time_recovery[0].enabled
    )
    error_message = "The table is not protected against deletion or loss."
  }

  assert {
    condition = (
      length(aws_cloudwatch_dashboard.streams) == 1
      && length(aws_cloudwatch_metric_alarm.plain) > 0
      && alltrue([for group in aws_cloudwatch_log_group.function : group.retention_in_days >= 90])
    )
    error_message = "Failures would go unnoticed."
  }

  assert {
    condition = alltrue([
      for function in aws_lambda_function.route :
      nonsensitive(function.environment[0].variables)["ENFORCEMENT"] == "enforce"
      && nonsensitive(function.environment[0].variables)["ON_STORE_FAILURE"] == "closed"
    ])
    error_message = "The limit is not enforced."
  }
}
