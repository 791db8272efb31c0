# Permissions: a function's actions on one table, its log, its routes. Nothing is created; the provider is mocked.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  auth         = "none"
  package_path = "tests/package.zip"
  log_hash_key = "made-up"
}

run "its_own_actions_on_one_table" {
  assert {
    condition = { for key, policy in aws_iam_role_policy.function : key => jsondecode(policy.policy).Statement[0] } == {
      for key, actions in {
        start     = ["dynamodb:UpdateItem"]
        end       = ["dynamodb:UpdateItem"]
        heartbeat = ["dynamodb:UpdateItem"]
        list      = ["dynamodb:GetItem"]
        operator  = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        } : key => {
        Effect   = "Allow"
        Action   = actions
        Resource = aws_dynamodb_table.streams.arn
      }
    }
    error_message = "A function has more or fewer permissions on the table than it needs."
  }
}

run "its_own_log_and_nothing_else" {
  assert {
    condition = alltrue([
      for key, policy in aws_iam_role_policy.function : jsondecode(policy.policy).Statement[1] == {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function[key].arn}:*"
      }
    ])
    error_message = "A function may write something other than its own log."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : length(jsondecode(policy.policy).Statement) == 2])
    error_message = "A role has a third statement."
  }
}

run "no_wildcard" {
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.function : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in flatten([statement.Action]) : !strcontains(action, "*")
        ]
      ]
    ]))
    error_message = "A policy has a wildcard in an action."
  }

  # The one exception: a log group's streams, which Lambda names.
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.function : [
        for statement in jsondecode(policy.policy).Statement :
        !strcontains(replace(statement.Resource, "/^(arn:aws:logs:.*:log-group:[^:*]+):\\*$/", "$1"), "*")
      ]
    ]))
    error_message = "A policy has a wildcard in a resource."
  }
}

run "each_role_is_for_lambda_and_for_one_function" {
  assert {
    condition = alltrue([
      for role in aws_iam_role.function :
      jsondecode(role.assume_role_policy).Statement == [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "lambda.amazonaws.com" }
      }]
    ])
    error_message = "A principal other than Lambda may assume a function's role."
  }

  assert {
    condition     = length(distinct(values(aws_iam_role.function)[*].name)) == length(aws_lambda_function.route)
    error_message = "Functions share a role."
  }
}

run "a_permissions_boundary_limits_every_role" {
  variables {
    permissions_boundary   = "arn:aws:iam::123456789012:policy/teams/boundary"
    heartbeat_url          = true
    playback_key_parameter = "/playback-key"
    reserved_concurrency   = 50
  }

  assert {
    condition = { for key, role in aws_iam_role.function : key => role.permissions_boundary } == {
      for key in ["start", "end", "heartbeat", "list", "operator", "heartbeat-url"] : key => var.permissions_boundary
    }
    error_message = "A role does not have the permissions boundary."
  }
}

run "a_policy_of_aws_can_be_the_permissions_boundary" {
  variables {
    permissions_boundary = "arn:aws-us-gov:iam::aws:policy/PowerUserAccess"
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.function : role.permissions_boundary == var.permissions_boundary])
    error_message = "A role does not have the permissions boundary."
  }
}

run "no_permissions_boundary_by_default" {
  assert {
    condition     = alltrue([for role in aws_iam_role.function : role.permissions_boundary == null])
    error_message = "A role has a permissions boundary that no variable requires."
  }
}

run "each_function_can_be_invoked_only_by_its_route" {
  assert {
    condition = { for key, permission in aws_lambda_permission.api : key => permission.source_arn } == {
      start     = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/POST/stream/start"
      end       = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/POST/stream/end"
      heartbeat = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/POST/stream/heartbeat"
      list      = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/GET/stream"

      operator-list = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/GET/operator/streams"
      operator-end  = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/DELETE/operator/streams"
    }
    error_message = "A source other than its route may invoke a function."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.api : permission.qualifier == "live"])
    error_message = "The API may invoke a version that is not live."
  }

  assert {
    condition = length(distinct([
      for permission in aws_lambda_permission.api : "${permission.function_name} ${permission.statement_id}"
    ])) == length(aws_lambda_permission.api)
    error_message = "Two permissions of one function share a statement id: Lambda would refuse the second."
  }
}

run "the_outputs_separate_backend_and_operator_routes" {
  assert {
    condition = toset([for arn in output.backend_arns : trimprefix(arn, output.api_execution_arn)]) == toset([
      "/POST/stream/start", "/POST/stream/end", "/POST/stream/heartbeat", "/GET/stream",
    ])
    error_message = "backend_arns are not the routes that a backend calls."
  }

  assert {
    condition = toset([for arn in output.operator_arns : trimprefix(arn, output.api_execution_arn)]) == toset([
      "/GET/operator/streams", "/DELETE/operator/streams",
    ])
    error_message = "operator_arns are not the operator's routes."
  }
}
