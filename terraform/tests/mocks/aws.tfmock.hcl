# What AWS would make up. The provider checks the form of these, and a mock's own random values have none.

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/stream-limiter-test"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::123456789012:role/made-up"
  }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = {
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:made-up"
  }
}

mock_resource "aws_lambda_function" {
  defaults = {
    version = "1"
  }
}

mock_resource "aws_lambda_alias" {
  defaults = {
    arn        = "arn:aws:lambda:eu-west-1:123456789012:function:made-up:live"
    invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/made-up:live/invocations"
  }
}

mock_resource "aws_apigatewayv2_stage" {
  defaults = {
    execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default"
  }
}

mock_resource "aws_sns_topic" {
  defaults = {
    arn = "arn:aws:sns:eu-west-1:123456789012:made-up"
  }
}

mock_resource "aws_lambda_function_url" {
  defaults = {
    function_url = "https://made-up.lambda-url.eu-west-1.on.aws/"
  }
}
