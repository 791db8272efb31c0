locals {
  # The prefix of every name in the account, so that stages can coexist.
  prefix = "${var.name}-${var.stage}"

  # Each function, and its permissions on the table. Players' functions have one route and one action each. The
  # operator's routes share a function: the same people use them, and an end reads first.
  functions = {
    start = {
      handler = "entrypoints.stream_start.handler"
      actions = ["dynamodb:UpdateItem"]
    }
    end = {
      handler = "entrypoints.stream_end.handler"
      actions = ["dynamodb:UpdateItem"]
    }
    heartbeat = {
      handler = "entrypoints.stream_heartbeat.handler"
      actions = ["dynamodb:UpdateItem"]
    }
    list = {
      handler = "entrypoints.stream_list.handler"
      actions = ["dynamodb:GetItem"]
    }
    operator = {
      handler = "entrypoints.operator_routes.handler"
      actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    }
  }

  # The heartbeat URL has its own function, which no route of the API calls: heartbeat_url.tf.
  url_functions = {
    for key, function in {
      heartbeat-url = {
        handler = "entrypoints.stream_renewal.handler"
        actions = ["dynamodb:UpdateItem"]
      }
    } : key => function if var.heartbeat_url
  }
  all_functions = merge(local.functions, local.url_functions)

  # Each route and its function.
  player_routes = {
    start     = { function = "start", key = "POST /stream/start" }
    end       = { function = "end", key = "POST /stream/end" }
    heartbeat = { function = "heartbeat", key = "POST /stream/heartbeat" }
    list      = { function = "list", key = "GET /stream" }
  }
  operator_routes = {
    operator-list = { function = "operator", key = "GET /operator/streams" }
    operator-end  = { function = "operator", key = "DELETE /operator/streams" }
  }
  routes = merge(local.player_routes, local.operator_routes)

  # Functions whose responses include a playback token, which they sign with a key.
  issue_tokens = ["start", "heartbeat", "heartbeat-url"]

  function_names = { for key, _ in local.all_functions : key => "${local.prefix}-${key}" }

  # The location, taken from the table's ARN so that no data source is needed.
  arn       = split(":", aws_dynamodb_table.streams.arn)
  partition = local.arn[1]
  region    = local.arn[3]
  account   = local.arn[4]
}
