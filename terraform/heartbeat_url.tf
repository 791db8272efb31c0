# Heartbeats without API Gateway, authenticated by a playback token: docs/adr/0024-heartbeat-url.md.
#
# The URL has its own function. If callers use up its instances, players fall back to the API's heartbeats, whose
# instances are separate. And an event of the URL cannot be passed off as one of API Gateway's.

resource "aws_lambda_function" "heartbeat_url" {
  # checkov:skip=CKV_AWS_116:Its callers wait for every response; without asynchronous calls, a dead-letter queue has no use.
  # checkov:skip=CKV_AWS_117:It only calls AWS APIs; a VPC would add endpoints without adding protection.
  # checkov:skip=CKV_AWS_115:heartbeat_url requires reserved_concurrency.
  # checkov:skip=CKV_AWS_272:The zip's hash is in the plan; signing needs a signing profile in the account.
  # checkov:skip=CKV_AWS_173:Lambda encrypts the settings with its own key; the only secret can be in a parameter instead.
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
  timeout          = 5 # seconds, as for the other functions
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
    log_format       = contains(local.quiet_functions, each.key) ? "JSON" : "Text"
    system_log_level = contains(local.quiet_functions, each.key) ? "WARN" : null
    log_group        = aws_cloudwatch_log_group.function[each.key].name
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
  # checkov:skip=CKV_AWS_258:Its callers have no AWS identity: the function checks the playback token of each.
  count = var.heartbeat_url ? 1 : 0

  function_name      = aws_lambda_alias.heartbeat_url["heartbeat-url"].function_name
  qualifier          = aws_lambda_alias.heartbeat_url["heartbeat-url"].name
  authorization_type = "NONE"

  # As for the API, but without login headers and cookies.
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

# AWS requires both permissions: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
resource "aws_lambda_permission" "heartbeat_url" {
  # checkov:skip=CKV_AWS_301:Anyone may call the URL: the function checks the playback token of each caller.
  count = length(aws_lambda_function_url.heartbeat)

  statement_id           = "AllowUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function_url.heartbeat[0].function_name
  qualifier              = aws_lambda_function_url.heartbeat[0].qualifier
  principal              = "*"
  function_url_auth_type = "NONE"
}

# Without its condition, this permission would let any AWS account invoke the function with an event of its own making.
# aws_lambda_permission has the condition (invoked_via_function_url) only from version 6.29 of the provider on, so
# CloudFormation creates the permission.
resource "aws_cloudformation_stack" "heartbeat_url" {
  # checkov:skip=CKV_AWS_124:It holds one permission, created during the apply; no notification is needed.
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
