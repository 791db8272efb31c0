locals {
  # Every name in the account starts with this, so that stages live side by side.
  prefix = "${var.name}-${var.stage}"

  # One function per route: what answers it, and the one thing that it may do to the table.
  functions = {
    start = {
      route   = "POST /stream/start"
      handler = "entrypoints.stream_start.handler"
      action  = "dynamodb:UpdateItem"
    }
    end = {
      route   = "POST /stream/end"
      handler = "entrypoints.stream_end.handler"
      action  = "dynamodb:UpdateItem"
    }
    heartbeat = {
      route   = "POST /stream/heartbeat"
      handler = "entrypoints.stream_heartbeat.handler"
      action  = "dynamodb:UpdateItem"
    }
    list = {
      route   = "GET /stream"
      handler = "entrypoints.stream_list.handler"
      action  = "dynamodb:GetItem"
    }
  }

  # Those whose answers have a playback token, which is signed with a key.
  issue_tokens = ["start", "heartbeat"]

  function_names = { for key, _ in local.functions : key => "${local.prefix}-${key}" }

  # Where this is, as the table's ARN tells it: nothing else has to be asked.
  arn       = split(":", aws_dynamodb_table.streams.arn)
  partition = local.arn[1]
  region    = local.arn[3]
  account   = local.arn[4]
}
