# The wiring between resources. Nothing is created and no network is needed: the provider is mocked.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  auth         = "none"
  package_path = "tests/package.zip"
  tags         = { team = "streaming" }
  log_hash_key = "made-up"
}

run "each_route_has_its_function" {
  assert {
    condition = { for key, route in aws_apigatewayv2_route.function : key => route.route_key } == {
      start     = "POST /stream/start"
      end       = "POST /stream/end"
      heartbeat = "POST /stream/heartbeat"
      list      = "GET /stream"

      operator-list = "GET /operator/streams"
      operator-end  = "DELETE /operator/streams"
    }
    error_message = "The routes are not those of the contract."
  }

  assert {
    condition = { for key, function in aws_lambda_function.route : key => function.handler } == {
      start     = "entrypoints.stream_start.handler"
      end       = "entrypoints.stream_end.handler"
      heartbeat = "entrypoints.stream_heartbeat.handler"
      list      = "entrypoints.stream_list.handler"
      operator  = "entrypoints.operator_routes.handler"
    }
    error_message = "A function has the wrong handler."
  }

  assert {
    condition = (
      aws_lambda_function.route["start"].description == "POST /stream/start"
      && aws_lambda_function.route["operator"].description == "DELETE /operator/streams, GET /operator/streams"
    )
    error_message = "A function's description does not list its routes."
  }

  assert {
    condition = alltrue([
      for key, route in aws_apigatewayv2_route.function :
      route.target == "integrations/${aws_apigatewayv2_integration.function[startswith(key, "operator-") ? "operator" : key].id}"
    ])
    error_message = "A route calls another route's integration."
  }

  assert {
    condition = alltrue([
      for key, integration in aws_apigatewayv2_integration.function :
      integration.payload_format_version == "2.0" && integration.integration_uri == aws_lambda_alias.live[key].invoke_arn
    ])
    error_message = "An integration does not send its function events of format 2.0."
  }
}

run "outputs_identify_what_other_configurations_refer_to" {
  assert {
    condition     = output.api_id == aws_apigatewayv2_api.streams.id && output.table_arn == aws_dynamodb_table.streams.arn
    error_message = "api_id or table_arn is not the API's or the table's."
  }

  assert {
    condition = output.role_names == {
      start     = "stream-limiter-test-start"
      end       = "stream-limiter-test-end"
      heartbeat = "stream-limiter-test-heartbeat"
      list      = "stream-limiter-test-list"
      operator  = "stream-limiter-test-operator"
    }
    error_message = "role_names are not the names of the functions' roles."
  }
}

run "operators_have_their_own_rate" {
  variables {
    throttling_rate  = 20000
    throttling_burst = 5000
  }

  assert {
    condition = {
      for settings in aws_apigatewayv2_stage.default.route_settings :
      settings.route_key => [settings.throttling_rate_limit, settings.throttling_burst_limit]
      } == {
      "GET /operator/streams"    = [5, 10]
      "DELETE /operator/streams" = [5, 10]
    }
    error_message = "An operator's script could take capacity from players, or a player's route has its own rate."
  }
}

run "the_api_calls_the_live_aliases" {
  assert {
    condition = alltrue([
      for key, function in aws_lambda_function.route :
      function.publish
      && aws_lambda_alias.live[key].name == "live"
      && aws_lambda_alias.live[key].function_name == function.function_name
      && aws_lambda_alias.live[key].function_version == function.version
      && output.live_arns[key] == aws_lambda_alias.live[key].arn
    ])
    error_message = "A deployment does not publish a version for rollbacks, or the alias is another function's."
  }
}

run "with_snap_start_each_version_is_a_snapshot" {
  variables {
    snap_start = true
  }

  assert {
    condition = alltrue([
      for key, function in aws_lambda_function.route :
      function.publish && function.snap_start[0].apply_on == "PublishedVersions"
      && aws_lambda_alias.live[key].function_version == function.version
      && aws_apigatewayv2_integration.function[key].integration_uri == aws_lambda_alias.live[key].invoke_arn
    ])
    error_message = "A function would be called without a snapshot."
  }
}

run "functions_get_the_settings" {
  variables {
    max_streams       = 5
    lease_seconds     = 60
    heartbeat_seconds = 0.5
    grace_seconds     = 3
    anonymous_seconds = 0
    anonymous         = "refuse"
    unknown_fields    = "ignore"
    on_limit          = "evict_oldest"
    enforcement       = "shadow"
    on_store_failure  = "open"
    store_client      = "boto3"
    log_level         = "debug"
    log_hash_key      = "made-up"
    session_seconds   = 3600

    heartbeat_log_sample = 10

    group_limits       = { uhd = 2, away = 1, sports = 0 }
    group_labels       = ["mobile", "hdr"]
    group_limits_claim = "plan.groups"
    group_paths        = { "/uhd/" = "uhd", "/4k/hdr/" = "hdr" }

    playback_key_parameter = "/stream-limiter/playback-key"
    token_overlap          = 3
    open_tokens            = true
    playback_cookie_domain = "example.com"
  }

  assert {
    condition = alltrue([
      for function in aws_lambda_function.route : nonsensitive(function.environment[0].variables) == tomap({
        AUTH              = "none"
        USER_CLAIM        = "sub"
        LIMIT_CLAIM       = "maxStreams"
        UNKNOWN_FIELDS    = "ignore"
        ANONYMOUS         = "refuse"
        TABLE_NAME        = "stream-limiter-test"
        MAX_STREAMS       = "5"
        LEASE_SECONDS     = "60"
        HEARTBEAT_SECONDS = "0.5"
        GRACE_SECONDS     = "3"
        ANONYMOUS_SECONDS = "0"
        ON_LIMIT          = "evict_oldest"
        ENFORCEMENT       = "shadow"
        ON_STORE_FAILURE  = "open"
        STORE_CLIENT      = "boto3"
        LOG_LEVEL         = "debug"
        LOG_HASH_KEY      = "made-up"

        LOG_HASH_KEY_PARAMETER = ""
        HEARTBEAT_LOG_SAMPLE   = "10"

        GROUP_LIMITS       = "away=1,sports=0,uhd=2"
        GROUP_LABELS       = "hdr,mobile"
        GROUP_LIMITS_CLAIM = "plan.groups"
        GROUP_PATHS        = "/4k/hdr/=hdr,/uhd/=uhd"

        PLAYBACK_KEY_PARAMETER = "/stream-limiter/playback-key"
        TOKEN_OVERLAP          = "3"
        OPEN_TOKENS            = "true"
        PLAYBACK_COOKIE_DOMAIN = "example.com"
        SESSION_SECONDS        = "3600"
        HEARTBEAT_URL          = ""
      })
    ])
    error_message = "A function's environment does not match the variables."
  }
}

run "functions_get_the_name_of_their_log_key" {
  variables {
    log_hash_key_parameter = "/stream-limiter/log-hash-key"
    log_hash_key           = ""
  }

  assert {
    condition = alltrue([
      for function in aws_lambda_function.route :
      nonsensitive(function.environment[0].variables)["LOG_HASH_KEY_PARAMETER"] == var.log_hash_key_parameter
      && nonsensitive(function.environment[0].variables)["LOG_HASH_KEY"] == ""
    ])
    error_message = "A function does not have the name of its parameter."
  }
}

run "a_plan_warns_if_processes_share_no_key" {
  command = plan

  variables {
    log_hash_key = ""
  }

  expect_failures = [check.log_hash_key]
}

run "tracing_can_be_turned_on" {
  variables {
    tracing = true
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.route : function.tracing_config[0].mode == "Active"])
    error_message = "A function is not traced."
  }
}

run "by_default_nothing_is_traced" {
  assert {
    condition     = alltrue([for function in aws_lambda_function.route : function.tracing_config[0].mode == "PassThrough"])
    error_message = "A function is traced by default."
  }
}

run "a_customer_key_encrypts_the_table_and_every_log" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition = (
      aws_dynamodb_table.streams.server_side_encryption[0].enabled
      && aws_dynamodb_table.streams.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    )
    error_message = "The table is not encrypted with the key."
  }

  assert {
    condition = alltrue([
      for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.api]) :
      group.kms_key_id == var.kms_key_arn
    ])
    error_message = "A log is not encrypted with the key."
  }
}

run "by_default_aws_owned_keys_encrypt" {
  assert {
    condition = !aws_dynamodb_table.streams.server_side_encryption[0].enabled && alltrue([
      for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.api]) :
      group.kms_key_id == null
    ])
    error_message = "A KMS key that is charged for is used by default."
  }
}

run "a_protected_table_is_not_deleted" {
  variables {
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.streams.deletion_protection_enabled
    error_message = "The table can be deleted."
  }
}

run "omitted_settings_are_left_to_the_service" {
  assert {
    condition = alltrue(flatten([
      for function in aws_lambda_function.route : [
        for name in ["HEARTBEAT_SECONDS", "GROUP_LIMITS", "GROUP_LABELS", "GROUP_PATHS"] :
        nonsensitive(function.environment[0].variables)[name] == ""
      ]
    ]))
    error_message = "A heartbeat or groups are set without being given."
  }
}

run "functions_log_to_groups_with_a_retention" {
  variables {
    log_retention_days = 7
  }

  assert {
    condition = alltrue([
      for key, function in aws_lambda_function.route :
      function.logging_config[0].log_group == aws_cloudwatch_log_group.function[key].name
    ])
    error_message = "A function does not log to its own group."
  }

  assert {
    condition = alltrue([
      for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.api]) :
      group.retention_in_days == 7
    ])
    error_message = "A log group does not have the configured retention."
  }
}

run "by_default_lambda_logs_every_call" {
  assert {
    condition = alltrue([
      for function in aws_lambda_function.route :
      function.logging_config[0].log_format == "Text" && function.logging_config[0].system_log_level == null
    ])
    error_message = "A function's log lacks Lambda's own lines."
  }
}

run "with_sampling_lambda_logs_only_failed_calls" {
  variables {
    heartbeat_log_sample = 2
  }

  assert {
    condition = { for key, function in aws_lambda_function.route : key => [
      function.logging_config[0].log_format, function.logging_config[0].system_log_level,
      ] } == {
      for key in keys(aws_lambda_function.route) : key => key == "heartbeat" ? ["JSON", "WARN"] : ["Text", null]
    }
    error_message = "The log of heartbeats has Lambda's own lines, or another function's log lacks them."
  }
}

run "the_access_log_does_not_identify_the_caller" {
  assert {
    condition = toset(values(jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format))) == toset([
      "$context.requestId",
      "$context.apiId",
      "$context.routeKey",
      "$context.status",
      "$context.responseLatency",
      "$context.error.message",
      "$context.authorizer.error",
      "$context.integrationStatus",
      "$context.integrationErrorMessage",
    ])
    error_message = "The access log's fields are not exactly those about the request's result."
  }
}

run "stages_have_distinct_names" {
  variables {
    stage = "other"
  }

  assert {
    condition = alltrue([
      for name in concat(
        [aws_dynamodb_table.streams.name, aws_apigatewayv2_api.streams.name],
        values(aws_lambda_function.route)[*].function_name,
        values(aws_iam_role.function)[*].name,
      ) : startswith(name, "stream-limiter-other")
    ])
    error_message = "A name does not begin with the stage's prefix."
  }

  assert {
    condition     = alltrue([for name in values(output.log_group_names) : strcontains(name, "/stream-limiter-other-")])
    error_message = "A log group's name does not contain the stage's prefix."
  }
}

run "everything_is_tagged" {
  assert {
    condition = alltrue([
      for resource in concat(
        [aws_dynamodb_table.streams, aws_apigatewayv2_api.streams, aws_apigatewayv2_stage.default, aws_cloudwatch_log_group.api],
        values(aws_lambda_function.route),
        values(aws_iam_role.function),
        values(aws_cloudwatch_log_group.function),
      ) : resource.tags == tomap({ team = "streaming" })
    ])
    error_message = "A resource that supports tags has none."
  }
}

run "the_table_is_configured_as_documented" {
  assert {
    condition = (
      aws_dynamodb_table.streams.hash_key == "userId"
      && aws_dynamodb_table.streams.billing_mode == "PAY_PER_REQUEST"
      && aws_dynamodb_table.streams.ttl[0].enabled
      && aws_dynamodb_table.streams.ttl[0].attribute_name == "expiresAt"
      && aws_dynamodb_table.streams.point_in_time_recovery[0].enabled
    )
    error_message = "The table lacks its key, its TTL or its recovery."
  }
}
