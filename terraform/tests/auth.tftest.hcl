# Callers: each mode protects every route, and a mode with a missing setting is refused.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  package_path = "tests/package.zip"
  log_hash_key = "made-up"
}

run "no_authentication" {
  variables {
    auth = "none"
  }

  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.function : route.authorization_type == "NONE" if !startswith(key, "operator-")])
    error_message = "A route requires authentication under auth = none."
  }

  assert {
    condition     = alltrue([for key in ["operator-list", "operator-end"] : aws_apigatewayv2_route.function[key].authorization_type == "AWS_IAM"])
    error_message = "An operator's route can be called without a signature."
  }

  assert {
    condition     = length(aws_apigatewayv2_authorizer.jwt) == 0 && length(aws_apigatewayv2_api.streams.cors_configuration) == 0
    error_message = "An authorizer or CORS exists without being configured."
  }
}

run "tokens" {
  variables {
    auth         = "jwt"
    jwt_issuer   = "https://login.example.com/"
    jwt_audience = ["streams"]
    jwt_scopes   = ["watch"]
    user_claim   = "custom:household"
    limit_claim  = "plan_streams"
    cors_origins = ["https://watch.example.com"]
  }

  assert {
    condition = alltrue([
      for key, route in aws_apigatewayv2_route.function :
      route.authorization_type == "JWT"
      && route.authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id
      && route.authorization_scopes == toset(["watch"])
      if !startswith(key, "operator-")
    ])
    error_message = "A route can be called without a token."
  }

  assert {
    condition = alltrue([
      for route in [aws_apigatewayv2_route.function["operator-list"], aws_apigatewayv2_route.function["operator-end"]] :
      route.authorization_type == "AWS_IAM" && route.authorizer_id == null && route.authorization_scopes == null
    ])
    error_message = "A viewer's token is accepted on an operator's route."
  }

  assert {
    condition = (
      aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == "https://login.example.com/"
      && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].audience == toset(["streams"])
      && aws_apigatewayv2_authorizer.jwt[0].identity_sources == toset(["$request.header.Authorization"])
    )
    error_message = "The authorizer does not check the configured issuer, audience or scopes."
  }

  assert {
    condition = alltrue([
      for function in aws_lambda_function.route :
      nonsensitive(function.environment[0].variables)["AUTH"] == "jwt"
      && nonsensitive(function.environment[0].variables)["USER_CLAIM"] == "custom:household"
      && nonsensitive(function.environment[0].variables)["LIMIT_CLAIM"] == "plan_streams"
    ])
    error_message = "A function does not have the setting AUTH."
  }

  assert {
    condition     = aws_apigatewayv2_api.streams.cors_configuration[0].allow_origins == toset(["https://watch.example.com"])
    error_message = "The allowed origins are not the configured ones."
  }

  assert {
    condition     = aws_apigatewayv2_api.streams.cors_configuration[0].expose_headers == toset(["retry-after"])
    error_message = "A page of another origin cannot read Retry-After."
  }
}

run "by_default_no_page_sends_credentials" {
  variables {
    auth         = "none"
    cors_origins = ["https://watch.example.com"]
  }

  assert {
    condition     = aws_apigatewayv2_api.streams.cors_configuration[0].allow_credentials == false
    error_message = "Pages may send cookies although no response sets one."
  }
}

run "a_page_keeps_the_cookie_of_an_answer" {
  variables {
    auth                   = "none"
    cors_origins           = ["https://watch.example.com"]
    playback_cookie_domain = "example.com"
  }

  assert {
    condition     = aws_apigatewayv2_api.streams.cors_configuration[0].allow_credentials
    error_message = "A browser would drop the cookie."
  }
}

run "signatures" {
  variables {
    auth = "iam"
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.function : route.authorization_type == "AWS_IAM"])
    error_message = "A route can be called without a signature."
  }
}

run "unknown_mode" {
  command = plan

  variables {
    auth = "basic"
  }

  expect_failures = [var.auth]
}

run "tokens_without_an_issuer_and_audience" {
  command = plan

  variables {
    auth = "jwt"
  }

  expect_failures = [var.jwt_issuer, var.jwt_audience]
}

run "an_issuer_without_https" {
  command = plan

  variables {
    auth         = "jwt"
    jwt_issuer   = "http://login.example.com"
    jwt_audience = [""]
    user_claim   = ""
    limit_claim  = ""
    cors_origins = ["*"]
  }

  expect_failures = [var.jwt_issuer, var.jwt_audience, var.user_claim, var.limit_claim, var.cors_origins]
}

run "token_settings_without_tokens" {
  command = plan

  variables {
    auth         = "iam"
    jwt_issuer   = "https://login.example.com"
    jwt_audience = ["streams"]
    jwt_scopes   = ["watch"]
  }

  expect_failures = [var.jwt_issuer, var.jwt_audience, var.jwt_scopes]
}
