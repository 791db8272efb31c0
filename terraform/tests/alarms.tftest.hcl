# The alarms: recipients, descriptions and metrics.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  package_path = "tests/package.zip"
  auth         = "none"
  log_hash_key = "made-up"
}

run "by_default_alarms_notify_no_recipient" {
  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && alltrue([for alarm in aws_cloudwatch_metric_alarm.plain : length(alarm.alarm_actions) == 0])
    error_message = "A topic exists without being configured."
  }
}

run "alarms_notify_every_recipient" {
  variables {
    alarm_email     = "on-call@example.com"
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:pager"
  }

  assert {
    condition     = aws_sns_topic_subscription.alarms[0].endpoint == "on-call@example.com"
    error_message = "The e-mail address is not subscribed."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.plain), values(aws_cloudwatch_metric_alarm.ratio), values(aws_cloudwatch_metric_alarm.sum), aws_cloudwatch_metric_alarm.refusals) :
      length(alarm.alarm_actions) == 2 && contains(alarm.alarm_actions, "arn:aws:sns:eu-west-1:123456789012:pager")
    ])
    error_message = "An alarm does not notify exactly the configured topics."
  }
}

run "each_alarm_links_its_section_of_the_runbook" {
  variables {
    runbook_url = "https://example.com/runbook"
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.plain), values(aws_cloudwatch_metric_alarm.ratio), values(aws_cloudwatch_metric_alarm.sum), aws_cloudwatch_metric_alarm.refusals) :
      endswith(alarm.alarm_description, " https://example.com/runbook#${trimprefix(alarm.alarm_name, "stream-limiter-test-")}")
    ])
    error_message = "An alarm does not link to its section of the runbook."
  }
}

run "requests_rejected_by_api_gateway_are_counted" {
  assert {
    condition = { for name, filter in aws_cloudwatch_log_metric_filter.turned_away : name => [filter.log_group_name, filter.pattern] } == {
      unauthorized = [aws_cloudwatch_log_group.api.name, "{ $.status = \"401\" && $.integrationStatus = \"-\" }"]
      throttled    = [aws_cloudwatch_log_group.api.name, "{ $.status = \"429\" && $.integrationStatus = \"-\" }"]
    }
    error_message = "A status of API Gateway's own responses is not counted, or not from its log."
  }

  assert {
    condition = alltrue(flatten([
      for name, filter in aws_cloudwatch_log_metric_filter.turned_away : [
        jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)["status"] == "$context.status",
        jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)["integrationStatus"] == "$context.integrationStatus",
        jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)["apiId"] == "$context.apiId",
        filter.metric_transformation[0].dimensions == tomap({ ApiId = "$.apiId" }),
        [for query in aws_cloudwatch_metric_alarm.ratio[name].metric_query :
          [for metric in query.metric : [metric.namespace, metric.metric_name, metric.dimensions["ApiId"]]] ==
          [[filter.metric_transformation[0].namespace, filter.metric_transformation[0].name, aws_apigatewayv2_api.streams.id]]
          if query.id == "part"
        ],
      ]
    ]))
    error_message = "A metric filter's name differs from the metric of its alarm."
  }
}

run "invalid_notification_settings" {
  command = plan

  variables {
    alarm_email     = "pigeon"
    alarm_topic_arn = "pigeon"
    runbook_url     = ""
  }

  expect_failures = [var.alarm_email, var.alarm_topic_arn, var.runbook_url]
}

run "without_monitoring_no_charged_resource_exists" {
  variables {
    monitoring  = false
    alarm_email = "on-call@example.com"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.plain) + length(aws_cloudwatch_metric_alarm.ratio) + length(aws_cloudwatch_metric_alarm.sum) + length(aws_cloudwatch_metric_alarm.refusals) + length(aws_cloudwatch_dashboard.streams) + length(aws_cloudwatch_query_definition.events) + length(aws_cloudwatch_query_definition.access_log) + length(aws_cloudwatch_log_metric_filter.turned_away) + length(aws_sns_topic.alarms) == 0
    error_message = "A charged resource exists although monitoring is off."
  }
}
