resource "aws_apigatewayv2_api" "streams" {
  name          = local.prefix
  description   = "Limits the concurrent streams of a user."
  protocol_type = "HTTP"
  tags          = var.tags

  # Without origins, no page of another origin may call the API.
  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) > 0 ? [var.cors_origins] : []

    content {
      allow_origins = cors_configuration.value
      allow_methods = ["GET", "POST"]
      allow_headers = ["authorization", "content-type", "idempotency-key"]
      # Pages can always read cache-control and content-type; the functions send no other headers.
      expose_headers = ["retry-after"]
      max_age        = 3600 # seconds

      # A browser stores the cookie of a cross-origin response only if credentials are allowed. CORS forbids a
      # wildcard origin then; cors_origins cannot contain one.
      allow_credentials = var.playback_cookie_domain != ""
    }
  }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.streams.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_rate_limit  = var.throttling_rate
    throttling_burst_limit = var.throttling_burst
  }

  # Enough for a support desk of hundreds, and too little for a script to take the table's or the functions' capacity
  # from players. A reference to the route orders the two: API Gateway rejects settings of a route that does not exist yet.
  dynamic "route_settings" {
    for_each = local.operator_routes

    content {
      route_key              = aws_apigatewayv2_route.function[route_settings.key].route_key
      throttling_rate_limit  = 5 # requests a second
      throttling_burst_limit = 10
    }
  }

  # What operations need, and nothing about the caller: no user, no token, no address.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format = jsonencode({
      requestId         = "$context.requestId"
      apiId             = "$context.apiId"
      route             = "$context.routeKey"
      status            = "$context.status"
      latencyMs         = "$context.responseLatency"
      error             = "$context.error.message"
      authorizerError   = "$context.authorizer.error"
      integrationStatus = "$context.integrationStatus"
      integrationError  = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = local.functions

  api_id                 = aws_apigatewayv2_api.streams.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live[each.key].invoke_arn
  payload_format_version = "2.0"
}

locals {
  # var.auth applies to players and backends; operators sign under every value.
  authorization = {
    for key, route in local.routes : key =>
    contains(keys(local.operator_routes), key) ? "AWS_IAM" : { none = "NONE", jwt = "JWT", iam = "AWS_IAM" }[var.auth]
  }
}

resource "aws_apigatewayv2_route" "function" {
  # checkov:skip=CKV_AWS_309:It does, through var.auth, which has no default; checkov cannot evaluate the map of modes.
  for_each = local.routes

  api_id    = aws_apigatewayv2_api.streams.id
  route_key = each.value.key
  target    = "integrations/${aws_apigatewayv2_integration.function[each.value.function].id}"

  authorization_type   = local.authorization[each.key]
  authorizer_id        = local.authorization[each.key] == "JWT" ? aws_apigatewayv2_authorizer.jwt[0].id : null
  authorization_scopes = local.authorization[each.key] == "JWT" && length(var.jwt_scopes) > 0 ? var.jwt_scopes : null
}

# Checks signature, issuer, audience and times of every token before a function is invoked.
resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.auth == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.streams.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audience
  }

  # API Gateway does not delete an authorizer that a route refers to (409). This makes Terraform update the routes
  # first. It is recorded in the state, so it also works if no new authorizer is created: from jwt to iam or none.
  lifecycle {
    create_before_destroy = true
  }
}

# Only this route of this API may invoke the function, and only its live version.
resource "aws_lambda_permission" "api" {
  for_each = local.routes

  # Statement ids must be unique within a function.
  statement_id  = each.key == each.value.function ? "AllowRoute" : "AllowRoute-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.route[each.value.function].function_name
  qualifier     = aws_lambda_alias.live[each.value.function].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_stage.default.execution_arn}/${replace(each.value.key, " ", "")}"
}
