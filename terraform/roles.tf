# Least privilege: a role per function, which may do one thing to the table and write its own log.
resource "aws_iam_role" "function" {
  for_each = local.functions

  name = local.function_names[each.key]
  tags = var.tags

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
  for_each = local.functions

  name = "table-and-log"
  role = aws_iam_role.function[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = each.value.action
        Resource = aws_dynamodb_table.streams.arn
      },
      {
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        # The group's streams, whose names Lambda makes up: both actions are checked against a stream.
        Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
      },
    ]
  })
}
