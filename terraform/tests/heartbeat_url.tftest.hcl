# The heartbeat URL: its wiring, its callers, and the settings that a plan refuses. The provider is mocked.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  auth         = "jwt"
  jwt_issuer   = "https://login.example.com/"
  jwt_audience = ["streams"]
  package_path = "tests/package.zip"
  log_hash_key = "made-up"

  heartbeat_url          = true
  playback_key_parameter = "/playback-key"
  reserved_concurrency   = 50
  session_seconds        = 3600
  cors_origins           = ["https://watch.example.com"]
}

run "the_url_has_its_own_function" {
  assert {
    condition = (
      aws_lambda_function.heartbeat_url["heartbeat-url"].handler == "entrypoints.stream_renewal.handler"
      && aws_lambda_function.heartbeat_url["heartbeat-url"].publish
      && aws_lambda_function.heartbeat_url["heartbeat-url"].reserved_concurrent_executions == 50
      && aws_lambda_function.heartbeat_url["heartbeat-url"].role == aws_iam_role.function["heartbeat-url"].arn
      && !contains(keys(aws_apigatewayv2_integration.function), "heartbeat-url")
    )
    error_message = "The URL shares its function, or its instances have no maximum."
  }

  assert {
    condition = (
      aws_lambda_function_url.heartbeat[0].function_name == "stream-limiter-test-heartbeat-url"
      && aws_lambda_function_url.heartbeat[0].qualifier == "live"
      && aws_lambda_function_url.heartbeat[0].authorization_type == "NONE"
      && output.heartbeat_url == "https://made-up.lambda-url.eu-west-1.on.aws/"
      && output.live_arns["heartbeat-url"] == aws_lambda_alias.heartbeat_url["heartbeat-url"].arn
      && output.function_names["heartbeat-url"] == "stream-limiter-test-heartbeat-url"
    )
    error_message = "The URL does not call the live version of its function."
  }

  # The functions' common arguments are set twice, because a URL is known only after its function.
  assert {
    condition = alltrue([
      for name in ["runtime", "architectures", "filename", "source_code_hash", "memory_size", "timeout", "publish", "tracing_config", "snap_start", "reserved_concurrent_executions"] :
      jsonencode(aws_lambda_function.heartbeat_url["heartbeat-url"][name]) == jsonencode(aws_lambda_function.route["heartbeat"][name])
    ])
    error_message = "The URL's function differs from that of the API's heartbeats."
  }
}

run "it_supports_tracing_and_snap_start" {
  variables {
    snap_start = true
    tracing    = true
  }

  assert {
    condition = (
      aws_lambda_function.heartbeat_url["heartbeat-url"].snap_start[0].apply_on == "PublishedVersions"
      && aws_lambda_function.heartbeat_url["heartbeat-url"].tracing_config[0].mode == "Active"
    )
    error_message = "The URL's function starts without a snapshot, or is not traced."
  }
}

run "with_sampling_the_urls_log_has_only_failed_calls" {
  variables {
    heartbeat_log_sample = 2
  }

  assert {
    condition = [
      for function in [aws_lambda_function.route["heartbeat"], aws_lambda_function.heartbeat_url["heartbeat-url"]] :
      [function.logging_config[0].log_format, function.logging_config[0].system_log_level]
    ] == [["JSON", "WARN"], ["JSON", "WARN"]]
    error_message = "The log of a function for heartbeats has Lambda's own lines."
  }
}

run "the_answering_functions_get_the_url" {
  assert {
    condition = alltrue([
      for function in aws_lambda_function.route :
      jsonencode(nonsensitive(function.environment[0].variables)) == jsonencode(merge(
        nonsensitive(aws_lambda_function.heartbeat_url["heartbeat-url"].environment[0].variables),
        { HEARTBEAT_URL = "https://made-up.lambda-url.eu-west-1.on.aws/" },
      ))
      && function.environment[0].variables.SESSION_SECONDS == "3600"
    ])
    error_message = "A function does not have the URL, or the URL's own function has other settings."
  }
}

run "pages_may_call_it" {
  assert {
    condition = (
      aws_lambda_function_url.heartbeat[0].cors[0].allow_origins == toset(["https://watch.example.com"])
      && aws_lambda_function_url.heartbeat[0].cors[0].allow_methods == toset(["POST"])
      && aws_lambda_function_url.heartbeat[0].cors[0].allow_headers == toset(["content-type"])
      && aws_lambda_function_url.heartbeat[0].cors[0].expose_headers == toset(["retry-after"])
      && aws_lambda_function_url.heartbeat[0].cors[0].max_age == 3600
    )
    error_message = "A page of cors_origins cannot send a heartbeat there, or can send more than that."
  }
}

run "without_origins_no_page_may" {
  variables {
    cors_origins = []
  }

  assert {
    condition     = length(aws_lambda_function_url.heartbeat[0].cors) == 0
    error_message = "Pages of every origin may call it."
  }
}

run "it_can_be_invoked_only_by_its_url" {
  assert {
    condition = (
      aws_lambda_permission.heartbeat_url[0].action == "lambda:InvokeFunctionUrl"
      && aws_lambda_permission.heartbeat_url[0].function_url_auth_type == "NONE"
      && aws_lambda_permission.heartbeat_url[0].function_name == "stream-limiter-test-heartbeat-url"
      && aws_lambda_permission.heartbeat_url[0].qualifier == "live"
    )
    error_message = "No caller is permitted to use the URL."
  }

  assert {
    condition = jsondecode(aws_cloudformation_stack.heartbeat_url[0].template_body).Resources == {
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
    error_message = "The function can be invoked without its URL, with an event of the caller's making."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.api : permission.function_name != "stream-limiter-test-heartbeat-url"])
    error_message = "The API may invoke the URL's function."
  }
}

run "its_role_equals_the_heartbeat_functions" {
  assert {
    condition = (
      [for statement in jsondecode(aws_iam_role_policy.function["heartbeat-url"].policy).Statement : statement.Action]
      == [["dynamodb:UpdateItem"], ["logs:CreateLogStream", "logs:PutLogEvents"], ["ssm:GetParameter"]]
      && aws_iam_role_policy.function["heartbeat-url"].policy == aws_iam_role_policy.function["heartbeat"].policy
    )
    error_message = "The URL's function has more or fewer permissions than the API's heartbeats."
  }
}

run "its_alarms_count_too" {
  assert {
    condition = alltrue([
      for name in ["functions-failing", "functions-throttled", "unverified"] :
      strcontains(jsonencode(aws_cloudwatch_metric_alarm.sum[name].metric_query), "stream-limiter-test-heartbeat-url")
    ])
    error_message = "A failure of the URL's function raises no alarm."
  }

  assert {
    condition     = alltrue([for query in aws_cloudwatch_query_definition.events : contains(query.log_group_names, "/aws/lambda/stream-limiter-test-heartbeat-url")])
    error_message = "A saved query does not include its events."
  }
}

run "without_the_setting_nothing_is_created" {
  variables {
    heartbeat_url        = false
    reserved_concurrency = -1
  }

  assert {
    condition = alltrue([
      length(aws_lambda_function.heartbeat_url) == 0,
      length(aws_lambda_alias.heartbeat_url) == 0,
      length(aws_lambda_function_url.heartbeat) == 0,
      length(aws_lambda_permission.heartbeat_url) == 0,
      length(aws_cloudformation_stack.heartbeat_url) == 0,
      output.heartbeat_url == null,
      !contains(keys(aws_iam_role.function), "heartbeat-url"),
      !contains(keys(aws_cloudwatch_log_group.function), "heartbeat-url"),
      alltrue([for function in aws_lambda_function.route : function.environment[0].variables.HEARTBEAT_URL == ""]),
    ])
    error_message = "A resource of the heartbeat URL exists although it is off."
  }
}

run "it_requires_a_key" {
  command = plan

  variables {
    playback_key_parameter = ""
  }

  expect_failures = [var.heartbeat_url]
}

run "it_requires_reserved_concurrency" {
  command = plan

  variables {
    reserved_concurrency = -1
  }

  expect_failures = [var.heartbeat_url]
}

run "it_requires_at_least_one_instance" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.heartbeat_url]
}

run "it_excludes_the_cookie" {
  command = plan

  variables {
    playback_cookie_domain = "example.com"
  }

  expect_failures = [var.heartbeat_url]
}

run "a_session_of_a_minute" {
  command = plan

  variables {
    session_seconds = 60
  }
}

run "a_session_below_a_minute" {
  command = plan

  variables {
    session_seconds = 59
  }

  expect_failures = [var.session_seconds]
}

run "a_session_above_half_a_day" {
  command = plan

  variables {
    session_seconds = 43201
  }

  expect_failures = [var.session_seconds]
}

run "a_session_that_is_not_whole" {
  command = plan

  variables {
    session_seconds = 60.5
  }

  expect_failures = [var.session_seconds]
}
