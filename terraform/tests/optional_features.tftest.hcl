# Additional permissions that variables require. dev/scan/iam_policies.py scans the policies of these runs, which are the
# widest.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stage        = "test"
  auth         = "none"
  package_path = "tests/package.zip"
  log_hash_key = "made-up"
}

run "optional_features_add_only_their_permissions" {
  variables {
    kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    log_hash_key_parameter = "/stream-limiter/log-hash-key"
    log_hash_key           = ""
    tracing                = true
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_role_policy.function : jsonencode(slice(jsondecode(policy.policy).Statement, 2, 5)) == jsonencode([
        {
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = var.kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = [
            "dynamodb.eu-west-1.amazonaws.com",
            "ssm.eu-west-1.amazonaws.com",
          ] } }
        },
        {
          Effect   = "Allow"
          Action   = ["ssm:GetParameter"]
          Resource = "arn:aws:ssm:eu-west-1:123456789012:parameter${var.log_hash_key_parameter}"
        },
        {
          Effect   = "Allow"
          Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
          Resource = "*"
        },
      ])
    ])
    error_message = "A role's additional permissions are not exactly those for the key, the parameter and the traces."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : length(jsondecode(policy.policy).Statement) == 5])
    error_message = "A role has a statement that no variable requires."
  }
}

run "a_key_without_a_parameter_decrypts_for_the_table_alone" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_role_policy.function :
      jsondecode(policy.policy).Statement[2].Condition.StringEquals["kms:ViaService"] == ["dynamodb.eu-west-1.amazonaws.com"]
      && length(jsondecode(policy.policy).Statement) == 3
    ])
    error_message = "The key may be used for more than the table."
  }
}

run "only_functions_that_issue_tokens_read_their_keys" {
  variables {
    kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    log_hash_key_parameter = "/stream-limiter/log-hash-key"
    log_hash_key           = ""
    playback_key_parameter = "/stream-limiter/playback-key"
  }

  assert {
    condition = {
      for key, policy in aws_iam_role_policy.function : key => [
        for statement in slice(jsondecode(policy.policy).Statement, 3, length(jsondecode(policy.policy).Statement)) :
        "${join(",", statement.Action)} ${statement.Resource}"
      ]
      } == {
      for key, parameters in {
        start     = ["log-hash-key", "playback-key"]
        end       = ["log-hash-key"]
        heartbeat = ["log-hash-key", "playback-key"]
        list      = ["log-hash-key"]
        operator  = ["log-hash-key"]
        } : key => [
        for parameter in parameters :
        "ssm:GetParameter arn:aws:ssm:eu-west-1:123456789012:parameter/stream-limiter/${parameter}"
      ]
    }
    error_message = "A function may read a parameter that it does not need."
  }
}

run "the_kms_key_decrypts_token_keys_only_for_functions_that_issue_tokens" {
  variables {
    kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    playback_key_parameter = "/stream-limiter/playback-key"
  }

  assert {
    condition = {
      for key, policy in aws_iam_role_policy.function :
      key => length(jsondecode(policy.policy).Statement[2].Condition.StringEquals["kms:ViaService"])
    } == { start = 2, end = 1, heartbeat = 2, list = 1, operator = 1 }
    error_message = "A function that reads no parameter may use the key through SSM."
  }
}
