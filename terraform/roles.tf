# Least privilege: a role per function, with its own actions on the table and write access to its own log.

locals {
  # The parameters that each function reads.
  parameters = {
    for key, _ in local.all_functions : key => compact([
      var.log_hash_key_parameter,
      contains(local.issue_tokens, key) ? var.playback_key_parameter : "",
    ])
  }

  # Additional permissions that only some variables require.
  more_permissions = {
    for key, _ in local.all_functions : key => concat(
      var.kms_key_arn == null ? [] : [{
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = var.kms_key_arn
        # Only through the services that decrypt on a function's behalf. The key's policy admits CloudWatch Logs.
        Condition = { StringEquals = { "kms:ViaService" = [
          for service in concat(["dynamodb"], length(local.parameters[key]) == 0 ? [] : ["ssm"]) :
          "${service}.${local.region}.amazonaws.com"
        ] } }
      }],
      [for parameter in local.parameters[key] : {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${parameter}"
      }],
      var.tracing ? [{
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*" # X-Ray supports no narrower resource for these
      }] : [],
    )
  }
}

resource "aws_iam_role" "function" {
  for_each = local.all_functions

  name                 = local.function_names[each.key]
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.all_functions

  name = "table-and-log"
  role = aws_iam_role.function[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Effect   = "Allow"
        Action   = each.value.actions
        Resource = aws_dynamodb_table.streams.arn
      },
      {
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        # The group's streams, which Lambda names: IAM checks both actions against a stream.
        Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
      },
    ], local.more_permissions[each.key])
  })
}
