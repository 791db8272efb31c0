locals {
  # Every name in the account starts with this, so that stages live side by side.
  prefix = "${var.name}-${var.stage}"

  # Each function, and what it may do to the table. Players' functions have one route and one action each; an
  # operator's look and its end are for the same people, and an end reads first.
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

  # The heartbeat URL has a function of its own, which no route of the API leads to: heartbeat_url.tf.
  url_functions = {
    for key, function in {
      heartbeat-url = {
        handler = "entrypoints.stream_renewal.handler"
        actions = ["dynamodb:UpdateItem"]
      }
    } : key => function if var.heartbeat_url
  }
  all_functions = merge(local.functions, local.url_functions)

  # Each route, and the function that answers it.
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

  # Those whose answers have a playback token, which is signed with a key.
  issue_tokens = ["start", "heartbeat", "heartbeat-url"]

  function_names = { for key, _ in local.all_functions : key => "${local.prefix}-${key}" }

  # Where this is, as the table's ARN tells it: nothing else has to be asked.
  arn       = split(":", aws_dynamodb_table.streams.arn)
  partition = local.arn[1]
  region    = local.arn[3]
  account   = local.arn[4]
}
