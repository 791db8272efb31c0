# Reads from top to bottom: is it up, are starts admitted, is it fast, who is refused, what does it cost.

locals {
  start = local.function_names.start
  table = aws_dynamodb_table.streams.name

  # The possible outcomes of a valid start.
  outcomes = ["admitted", "replayed", "reclaimed", "replaced", "evicted", "would_refuse", "unverified", "refused", "failed"]

  # Each row has a title, and graphs of equal width.
  rows = [
    {
      title = "Is it up?"
      graphs = {
        "Requests and server errors" = { stat = "Sum", metrics = [
          ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.streams.id, { stat = "SampleCount" }],
          ["AWS/ApiGateway", "5xx", "ApiId", aws_apigatewayv2_api.streams.id],
        ] }
        "Functions: errors and throttles" = { stat = "Sum", metrics = [
          for pair in setproduct(values(local.function_names), ["Errors", "Throttles"]) :
          ["AWS/Lambda", pair[1], "FunctionName", pair[0]]
        ] }
        "Table: throttles and system errors" = { stat = "Sum", metrics = [
          ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", local.table],
          ["AWS/DynamoDB", "SystemErrors", "TableName", local.table, "Operation", "UpdateItem"],
        ] }
      }
    },
    {
      title = "Are starts admitted?"
      graphs = {
        "Without a valid token: 401, of all requests" = { stat = "Sum", metrics = [
          ["StreamLimiter", "unauthorized", "ApiId", aws_apigatewayv2_api.streams.id],
          ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.streams.id, { stat = "SampleCount" }],
        ] }
        "Operators: streams shown and ended" = { stat = "Sum", metrics = [
          for outcome in ["listed", "ended", "already_ended"] :
          ["StreamLimiter", "requests", "function", local.function_names.operator, "outcome", outcome]
        ] }
        "Above the admitted rate: 429, of all requests" = { stat = "Sum", metrics = [
          ["StreamLimiter", "throttled", "ApiId", aws_apigatewayv2_api.streams.id],
          ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.streams.id, { stat = "SampleCount" }],
        ] }
      }
    },
    {
      title = "Is it fast?"
      graphs = {
        "Latency of the API, p50 and p99" = { stat = "p99", metrics = [
          ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.streams.id, { stat = "p50" }],
          ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.streams.id],
        ] }
        "A start, and DynamoDB's part of it, p99" = { stat = "p99", metrics = [
          ["StreamLimiter", "duration_ms", "function", local.start],
          ["StreamLimiter", "store_ms", "function", local.start],
        ] }
        "Lost races per start" = { stat = "Average", metrics = [
          ["StreamLimiter", "contention_rounds", "function", local.start],
        ] }
      }
    },
    {
      title = "Who is refused?"
      graphs = {
        "Starts by outcome" = { stat = "Sum", metrics = [
          for outcome in local.outcomes : ["StreamLimiter", "requests", "function", local.start, "outcome", outcome]
        ] }
        "Slots reclaimed and evicted" = { stat = "Sum", metrics = [
          ["StreamLimiter", "reclaimed_slots", "function", local.start],
          ["StreamLimiter", "evicted_slots", "function", local.start],
        ] }
        "Refused, of all starts" = { stat = "Average", metrics = [
          ["StreamLimiter", "refused", "function", local.start],
        ] }
        "Shadow mode: would be refused" = { stat = "Sum", metrics = [
          ["StreamLimiter", "requests", "function", local.start, "outcome", "would_refuse"],
        ] }
      }
    },
    {
      title = "What does it cost?"
      graphs = {
        "Write and read units" = { stat = "Sum", metrics = [
          ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", local.table],
          ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", local.table],
        ] }
        "Milliseconds of functions" = { stat = "Sum", metrics = [
          for name in values(local.function_names) : ["AWS/Lambda", "Duration", "FunctionName", name]
        ] }
        "Bytes of log" = { stat = "Sum", metrics = [
          for group in aws_cloudwatch_log_group.function : ["AWS/Logs", "IncomingBytes", "LogGroupName", group.name]
        ] }
      }
    },
  ]

  # The usual questions about the events of all functions: docs/events.md. Successful heartbeats may be sampled, so no
  # count or percentile mixes `extended` with other outcomes.
  queries = {
    "who is refused"               = <<-EOT
      filter outcome = "refused" | stats count() as refusals, max(stream_count) as streams by user
      | sort refusals desc | limit 20
    EOT
    "who shadow mode would refuse" = <<-EOT
      filter outcome = "would_refuse" | stats count() as starts, max(stream_count) as streams by user, code
      | sort starts desc | limit 20
    EOT
    "who calls most"               = <<-EOT
      filter event = "request"
      | stats count() as calls, sum(contention_rounds) as lost_races by user, outcome | sort calls desc | limit 20
    EOT
    "why it fails"                 = <<-EOT
      filter outcome = "failed" | stats count() as failures, max(store_ms), latest(exception) by route, code
      | sort failures desc
    EOT
    "what is slow"                 = <<-EOT
      filter event = "request"
      | stats pct(duration_ms, 50) as p50, pct(duration_ms, 99) as p99, pct(store_ms, 99) as store_p99
        by route, outcome, cold_start
    EOT
    # Without successful heartbeats, which would be most of the rows.
    "one user's last day" = <<-EOT
      filter user = "the hash by streamctl" and outcome != "extended"
      | fields @timestamp, route, outcome, code, stream_count, limit, limit_group, reclaimed_slots, evicted_slots
      | sort @timestamp asc | limit 10000
    EOT
    # Helps to choose a plan's limit: at each number, `refused_more` of the users were refused, mostly another stream.
    "how many users reach each number of streams at once" = <<-EOT
      filter ispresent(stream_count) | stats max(stream_count) as streams, max(refused) as was_refused by user
      | stats count() as users, sum(was_refused) as refused_more by streams | sort streams asc
    EOT
  }

  # These read the access log, because the functions do not see these requests.
  access_log_queries = {
    "why requests are turned away" = <<-EOT
      filter status = "401" or status = "403" or status = "429"
      | stats count() as answers, latest(@timestamp) by status, route, error, authorizerError | sort answers desc
    EOT
  }
}

resource "aws_cloudwatch_dashboard" "streams" {
  count = var.monitoring ? 1 : 0

  dashboard_name = local.prefix

  dashboard_body = jsonencode({
    widgets = flatten([
      for row, content in local.rows : [
        { type = "text", x = 0, y = row * 8, width = 24, height = 2, properties = { markdown = "## ${content.title}" } },
        [
          for column, title in keys(content.graphs) : {
            type   = "metric"
            x      = column * 24 / length(content.graphs)
            y      = row * 8 + 2
            width  = 24 / length(content.graphs)
            height = 6
            properties = {
              title   = title
              region  = local.region
              period  = 60
              stat    = content.graphs[title].stat
              metrics = content.graphs[title].metrics
            }
          }
        ],
      ]
    ])
  })
}

resource "aws_cloudwatch_query_definition" "events" {
  for_each = { for name, query in local.queries : name => query if var.monitoring }

  name            = "${local.prefix}/${each.key}"
  query_string    = each.value
  log_group_names = values(aws_cloudwatch_log_group.function)[*].name
}

resource "aws_cloudwatch_query_definition" "access_log" {
  for_each = { for name, query in local.access_log_queries : name => query if var.monitoring }

  name            = "${local.prefix}/${each.key}"
  query_string    = each.value
  log_group_names = [aws_cloudwatch_log_group.api.name]
}
