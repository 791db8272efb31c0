locals {
  package_path = coalesce(var.package_path, "${path.module}/../build/stream-limiter.zip")

  # Functions whose log has none of Lambda's own lines about successful calls.
  quiet_functions = var.heartbeat_log_sample > 1 ? ["heartbeat", "heartbeat-url"] : []

  # Read by src/entrypoints/settings.py; an empty value means the default.
  environment = {
    AUTH              = var.auth
    USER_CLAIM        = var.user_claim
    LIMIT_CLAIM       = var.limit_claim
    UNKNOWN_FIELDS    = var.unknown_fields
    ANONYMOUS         = var.anonymous
    TABLE_NAME        = aws_dynamodb_table.streams.name
    MAX_STREAMS       = var.max_streams
    LEASE_SECONDS     = var.lease_seconds
    HEARTBEAT_SECONDS = var.heartbeat_seconds == null ? "" : tostring(var.heartbeat_seconds)
    GRACE_SECONDS     = var.grace_seconds
    ANONYMOUS_SECONDS = var.anonymous_seconds
    ON_LIMIT          = var.on_limit
    ENFORCEMENT       = var.enforcement
    ON_STORE_FAILURE  = var.on_store_failure
    STORE_CLIENT      = var.store_client
    LOG_LEVEL         = var.log_level
    LOG_HASH_KEY      = var.log_hash_key

    LOG_HASH_KEY_PARAMETER = var.log_hash_key_parameter
    HEARTBEAT_LOG_SAMPLE   = var.heartbeat_log_sample

    GROUP_LIMITS       = join(",", [for name, limit in var.group_limits : "${name}=${limit}"])
    GROUP_LABELS       = join(",", var.group_labels)
    GROUP_LIMITS_CLAIM = var.group_limits_claim
    GROUP_PATHS        = join(",", [for prefix, group in var.group_paths : "${prefix}=${group}"])

    PLAYBACK_KEY_PARAMETER = var.playback_key_parameter
    TOKEN_OVERLAP          = var.token_overlap
    OPEN_TOKENS            = var.open_tokens
    PLAYBACK_COOKIE_DOMAIN = var.playback_cookie_domain
    SESSION_SECONDS        = var.session_seconds
  }

  # For the functions that return the heartbeat URL. The URL's own function cannot have it, because the URL is created later.
  environment_with_url = merge(local.environment, {
    HEARTBEAT_URL = var.heartbeat_url ? aws_lambda_function_url.heartbeat[0].function_url : ""
  })
}

# Represents the zip, which is built outside Terraform, so that a missing zip is one error and not one per function.
resource "terraform_data" "package" {
  input = fileexists(local.package_path) ? filebase64sha256(local.package_path) : null

  lifecycle {
    precondition {
      condition     = fileexists(local.package_path)
      error_message = "The package ${local.package_path} does not exist: build it with `make package`, or set package_path to a released zip."
    }
  }
}

resource "aws_lambda_function" "route" {
  # checkov:skip=CKV_AWS_116:API Gateway waits for every response; without asynchronous calls, a dead-letter queue has no use.
  # checkov:skip=CKV_AWS_117:It only calls AWS APIs; a VPC would add endpoints without adding protection.
  # checkov:skip=CKV_AWS_115:A variable sets a maximum; a default would take instances from the rest of the account.
  # checkov:skip=CKV_AWS_272:The zip's hash is in the plan; signing needs a signing profile in the account.
  # checkov:skip=CKV_AWS_173:Lambda encrypts the settings with its own key; the only secret can be in a parameter instead.
  for_each = local.functions

  function_name    = local.function_names[each.key]
  description      = join(", ", [for route in local.routes : route.key if route.function == each.key])
  role             = aws_iam_role.function[each.key].arn
  handler          = each.value.handler
  runtime          = var.runtime
  architectures    = [var.architecture]
  filename         = local.package_path
  source_code_hash = terraform_data.package.input
  memory_size      = var.memory_size
  timeout          = 5    # seconds; the service itself responds within 3
  publish          = true # each deployment is a version, for rollbacks
  tags             = var.tags

  reserved_concurrent_executions = var.reserved_concurrency

  environment {
    variables = local.environment_with_url
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.snap_start ? [1] : []

    content {
      apply_on = "PublishedVersions"
    }
  }

  lifecycle {
    precondition {
      condition     = !var.snap_start || var.runtime != "python3.11"
      error_message = "snap_start needs python3.12 or later."
    }

    precondition {
      condition     = !var.snap_start || var.store_client != "lean"
      error_message = "snap_start cannot be used with store_client = \"lean\", which reads the credentials from the environment, where SnapStart does not set them: use auto or boto3."
    }
  }

  # Names the existing group: otherwise Lambda would create one that keeps logs indefinitely.
  # If heartbeats are sampled, Lambda's own three lines about each call would be most of the log. Only the format
  # JSON has levels, and it leaves lines that already are JSON, such as our events, unchanged:
  # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
  logging_config {
    log_format       = contains(local.quiet_functions, each.key) ? "JSON" : "Text"
    system_log_level = contains(local.quiet_functions, each.key) ? "WARN" : null
    log_group        = aws_cloudwatch_log_group.function[each.key].name
  }
}

# The versions that the API calls. All aliases wait for all functions, so an apply that fails halfway changes nothing
# that is live. `make rollback` moves the aliases back; the next plan shows that it would move them forward.
resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  description      = "The newest version."
  function_name    = aws_lambda_function.route[each.key].function_name
  function_version = aws_lambda_function.route[each.key].version
}
