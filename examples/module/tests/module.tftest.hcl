# The example works: the module uses the root's provider, which is mocked.

mock_provider "aws" {
  source = "../../terraform/tests/mocks"
}

variables {
  stage        = "test"
  package_path = "../../terraform/tests/package.zip"

  log_hash_key_parameter = "/household-test-log-hash-key"
}

run "the_backend_may_call_only_its_routes_of_this_api" {
  assert {
    condition = jsondecode(aws_iam_policy.backend.policy).Statement == [{
      Effect = "Allow"
      Action = "execute-api:Invoke"
      Resource = [
        for route in ["POST/stream/end", "POST/stream/heartbeat", "GET/stream", "POST/stream/start"] :
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default/${route}"
      ]
    }]
    error_message = "The backend may do more or less than call its routes."
  }

  assert {
    condition     = module.streams.table_name == "household-test"
    error_message = "The module does not use the root's name."
  }
}
