# Each alarm says what to do, and links to its section of the runbook.

locals {
  alarm_topics = concat(
    var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn],
    aws_sns_topic.alarms[*].arn,
  )

  # One metric and one threshold each. The service's own metrics: docs/events.md.
  alarms = {
    slow = {
      namespace  = "AWS/ApiGateway"
      metric     = "Latency"
      dimensions = local.api
      statistic  = "p99"
      threshold  = 1000 # milliseconds
      periods    = 5
      what       = "The slowest 1 % of requests take more than a second. Compare store_ms with duration_ms to see whether the store or the functions are slow."
    }
    table-throttled = {
      namespace  = "AWS/DynamoDB"
      metric     = "WriteThrottleEvents"
      dimensions = { TableName = aws_dynamodb_table.streams.name }
      statistic  = "Sum"
      threshold  = 10
      periods    = 3
      what       = "DynamoDB throttles writes. Look for one user with most of the requests, then check the account's quotas."
    }
    table-failing = {
      namespace  = "AWS/DynamoDB"
      metric     = "SystemErrors"
      dimensions = { TableName = aws_dynamodb_table.streams.name, Operation = "UpdateItem" }
      statistic  = "Sum"
      threshold  = 5
      periods    = 3
      what       = "DynamoDB returns errors of its own. Check the AWS Health Dashboard, and decide on on_store_failure."
    }
    failing = {
      namespace  = "StreamLimiter"
      metric     = "failed"
      dimensions = { function = local.function_names.start }
      statistic  = "Average"
      threshold  = 0.01
      periods    = 3
      what       = "More than one start in a hundred fails. Read the codes of the failures; after a deployment, roll back."
    }
    contended = {
      namespace  = "StreamLimiter"
      metric     = "contention_rounds"
      dimensions = { function = local.function_names.start }
      statistic  = "Average"
      threshold  = 0.1
      periods    = 5
      what       = "Requests race for the same user. Look for one user with most of the requests: a looping player."
    }
  }

  # All requests that API Gateway has counted, including those that it rejected.
  api      = { ApiId = aws_apigatewayv2_api.streams.id }
  requests = { namespace = "AWS/ApiGateway", metric = "Count", statistic = "SampleCount", dimensions = local.api }

  # Ratios of two metrics, in each minute in which the second is at least `at_least`. Without requests there is neither
  # a ratio nor an alarm.
  ratio_alarms = {
    errors = {
      part      = { namespace = "AWS/ApiGateway", metric = "5xx", statistic = "Sum", dimensions = local.api }
      whole     = local.requests
      at_least  = 1
      threshold = 0.01
      periods   = 3
      what      = "More than one response in a hundred is a 5xx. Read the codes of the failures; after a deployment, roll back."
    }
    # A player with an expired token gets one 401, and returns with a new token: a tenth of the heartbeats if tokens
    # live for five minutes, and many more for a minute or two if many expire together. Anyone may call without a
    # token, so a few requests at night are no evidence.
    unauthorized = {
      part      = { namespace = "StreamLimiter", metric = "unauthorized", statistic = "Sum", dimensions = { ApiId = aws_apigatewayv2_api.streams.id } }
      whole     = local.requests
      at_least  = 10
      threshold = 0.2
      periods   = 3
      what      = "More than one request in five comes without a valid token, and is rejected (401). Compare jwt_issuer and jwt_audience with the tokens."
    }
    # There should be none. Three minutes mean growth rather than a burst. API Gateway may omit some of an excess of
    # 429s from the log, so the real ratio may be higher.
    throttled = {
      part      = { namespace = "StreamLimiter", metric = "throttled", statistic = "Sum", dimensions = { ApiId = aws_apigatewayv2_api.streams.id } }
      whole     = local.requests
      at_least  = 1
      threshold = 0.01
      periods   = 3
      what      = "More than one request in a hundred exceeds the admitted rate, and is rejected (429). Raise throttling_rate, or find the callers with most of the requests."
    }
    reclaims = {
      part      = { namespace = "StreamLimiter", metric = "reclaimed_slots", statistic = "Sum", dimensions = { function = local.function_names.start } }
      whole     = { namespace = "StreamLimiter", metric = "refused", statistic = "SampleCount", dimensions = { function = local.function_names.start } }
      at_least  = 1
      threshold = 0.2
      periods   = 15
      what      = "More than one slot per five starts is reclaimed from a player that stopped without an end. Find the player release that stopped sending ends."
    }
  }

  # Sums over several functions, which should be zero.
  sum_alarms = {
    functions-failing = {
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = [for name in values(local.function_names) : { FunctionName = name }]
      periods    = 2
      what       = "A function fails before it can respond: it times out, runs out of memory or cannot start. Roll back if it was just deployed."
    }
    functions-throttled = {
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = [for name in values(local.function_names) : { FunctionName = name }]
      periods    = 2
      what       = "Lambda throttles invocations. Raise the account's concurrency, or find the callers with most of the requests."
    }
    unverified = {
      namespace  = "StreamLimiter"
      metric     = "requests"
      dimensions = [for key in setintersection(local.issue_tokens, keys(local.function_names)) : { function = local.function_names[key], outcome = "unverified" }]
      periods    = 1
      what       = "Starts and heartbeats are admitted without being counted, because the store is unavailable. The limit is not enforced until it recovers: check DynamoDB."
    }
  }
}

resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26: CloudWatch may not use AWS's own key for SNS, and an alarm's text identifies no user.
  count = var.monitoring && var.alarm_email != null ? 1 : 0

  name = "${local.prefix}-alarms"
  tags = var.tags
}

resource "aws_sns_topic_subscription" "alarms" {
  count = var.monitoring && var.alarm_email != null ? 1 : 0

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "plain" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.monitoring }

  alarm_name          = "${local.prefix}-${each.key}"
  alarm_description   = "${each.value.what} ${var.runbook_url}#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60 # seconds
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "ratio" {
  for_each = { for name, alarm in local.ratio_alarms : name => alarm if var.monitoring }

  alarm_name          = "${local.prefix}-${each.key}"
  alarm_description   = "${each.value.what} ${var.runbook_url}#${each.key}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags

  metric_query {
    id          = "ratio"
    expression  = "IF(whole >= ${each.value.at_least}, part / whole, 0)"
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { part = each.value.part, whole = each.value.whole }

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.statistic
        period      = 60 # seconds
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "sum" {
  for_each = { for name, alarm in local.sum_alarms : name => alarm if var.monitoring }

  alarm_name          = "${local.prefix}-${each.key}"
  alarm_description   = "${each.value.what} ${var.runbook_url}#${each.key}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags

  metric_query {
    id          = "total"
    expression  = "SUM(METRICS())"
    label       = each.value.metric
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.dimensions

    content {
      id = "part_${metric_query.key}"

      metric {
        namespace   = each.value.namespace
        metric_name = each.value.metric
        dimensions  = metric_query.value
        stat        = "Sum"
        period      = 60 # seconds
      }
    }
  }
}

# The usual rate differs between services and times of day, so CloudWatch learns it.
resource "aws_cloudwatch_metric_alarm" "refusals" {
  count = var.monitoring ? 1 : 0

  alarm_name          = "${local.prefix}-refusals"
  alarm_description   = "Far more or fewer starts are refused than usual at this hour. Check whether the cause is one user, one kind of player or a changed limit. ${var.runbook_url}#refusals"
  comparison_operator = "LessThanLowerOrGreaterThanUpperThreshold"
  threshold_metric_id = "usual"
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_topics
  ok_actions          = local.alarm_topics
  tags                = var.tags

  metric_query {
    id          = "usual"
    expression  = "ANOMALY_DETECTION_BAND(refusals, 3)"
    label       = "usual"
    return_data = true
  }

  metric_query {
    id          = "refusals"
    return_data = true

    metric {
      namespace   = "StreamLimiter"
      metric_name = "refused"
      dimensions  = { function = local.function_names.start }
      stat        = "Average"
      period      = 300 # seconds
    }
  }
}
