# Heartbeats without API Gateway, whose caller a playback token identifies: docs/adr/0024-heartbeat-url.md.
#
# The URL has a function of its own. Where callers use up its instances, those of the API's heartbeats are there still,
# which is where players go then. And no event of it can pass for one of API Gateway's.

resource "aws_lambda_function" "heartbeat_url" {
  # checkov:skip=CKV_AWS_116:Its callers wait for every answer; there is no asynchronous call whose failure a queue could keep.
  # checkov:skip=CKV_AWS_117:It talks to DynamoDB alone; a VPC would add an endpoint and keep nobody out.
  # checkov:skip=CKV_AWS_115:heartbeat_url is refused without reserved_concurrency.
  # checkov:skip=CKV_AWS_272:The zip's hash is in the plan; signing needs a profile of the account's own.
  # checkov:skip=CKV_AWS_173:Lambda encrypts the settings with its own key; the one secret among them can be a parameter instead.
  for_each = local.url_functions

  function_name    = local.function_names[each.key]
  description      = "POST /stream/heartbeat, by a URL of its own"
  role             = aws_iam_role.function[each.key].arn
  handler          = each.value.handler
  runtime          = var.runtime
  architectures    = [var.architecture]
  filename         = local.package_path
  source_code_hash = terraform_data.package.input
  memory_size      = var.memory_size
  timeout          = 5 # seconds, as the other functions
  publish          = true
  tags             = var.tags

  reserved_concurrent_executions = var.reserved_concurrency

  environment {
    variables = local.environment
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.snap_start ? [1] : []

    content {
      apply_on = "PublishedVersions"
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }
}

resource "aws_lambda_alias" "heartbeat_url" {
  for_each = aws_lambda_function.heartbeat_url

  name             = "live"
  description      = "The newest version."
  function_name    = each.value.function_name
  function_version = each.value.version
}

resource "aws_lambda_function_url" "heartbeat" {
  # checkov:skip=CKV_AWS_258:Its callers have no identity of AWS's: the function checks the playback token of each.
  count = var.heartbeat_url ? 1 : 0

  function_name      = aws_lambda_alias.heartbeat_url["heartbeat-url"].function_name
  qualifier          = aws_lambda_alias.heartbeat_url["heartbeat-url"].name
  authorization_type = "NONE"

  # As for the API, but that no header of a login and no cookie is sent here.
  dynamic "cors" {
    for_each = length(var.cors_origins) > 0 ? [var.cors_origins] : []

    content {
      allow_origins  = cors.value
      allow_methods  = ["POST"]
      allow_headers  = ["content-type"]
      expose_headers = ["retry-after"]
      max_age        = 3600 # seconds
    }
  }
}

# AWS asks for both permissions: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
resource "aws_lambda_permission" "heartbeat_url" {
  # checkov:skip=CKV_AWS_301:Anybody may call the URL: the function checks the playback token of each.
  count = length(aws_lambda_function_url.heartbeat)

  statement_id           = "AllowUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function_url.heartbeat[0].function_name
  qualifier              = aws_lambda_function_url.heartbeat[0].qualifier
  principal              = "*"
  function_url_auth_type = "NONE"
}

# Without its condition this one would let any account of AWS invoke the function with an event of its own making.
# aws_lambda_permission has the condition (invoked_via_function_url) from 6.29 of the provider on, CloudFormation has it
# for every version.
resource "aws_cloudformation_stack" "heartbeat_url" {
  # checkov:skip=CKV_AWS_124:It holds one permission, which is made within the apply; there is nothing to notify of.
  count = length(aws_lambda_function_url.heartbeat)

  name = local.function_names["heartbeat-url"]
  tags = var.tags

  template_body = jsonencode({
    Description = "Lets the heartbeat URL invoke its function."
    Resources = {
      AllowInvocation = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          Action                = "lambda:InvokeFunction"
          FunctionName          = aws_lambda_alias.heartbeat_url["heartbeat-url"].arn
          Principal             = "*"
          InvokedViaFunctionUrl = true
        }
      }
    }
  })
}
