# Every input is checked before anything is created. Each run sets invalid values, and all of them must be refused.

mock_provider "aws" {}

variables {
  stage        = "test"
  auth         = "none"
  package_path = "tests/package.zip"
  log_hash_key = "made-up"
}

run "missing_package" {
  command = plan

  variables {
    package_path = "tests/missing.zip"
  }

  expect_failures = [terraform_data.package]
}

run "too_small" {
  command = plan

  variables {
    memory_size        = 127
    log_retention_days = 0
    throttling_rate    = 0
    throttling_burst   = 0
    max_streams        = -1
    lease_seconds      = 0
    grace_seconds      = -1
    anonymous_seconds  = -1

    reserved_concurrency = -2
    heartbeat_log_sample = 0
    token_overlap        = 0
  }

  expect_failures = [
    var.memory_size,
    var.log_retention_days,
    var.throttling_rate,
    var.throttling_burst,
    var.max_streams,
    var.lease_seconds,
    var.grace_seconds,
    var.anonymous_seconds,
    var.reserved_concurrency,
    var.token_overlap,
    var.heartbeat_log_sample,
  ]
}

run "too_large" {
  command = plan

  variables {
    name              = "a-name-that-is-longer-than-32-letters"
    stage             = "longerthan16letters"
    memory_size       = 10241
    throttling_rate   = 10000001
    throttling_burst  = 5000001
    max_streams       = 21
    lease_seconds     = 86401
    grace_seconds     = 61
    anonymous_seconds = 31536001
    user_claim        = join("", [for _ in range(129) : "x"])
    limit_claim       = join("", [for _ in range(129) : "x"])

    group_limits_claim = join("", [for _ in range(129) : "x"])

    reserved_concurrency = 10001
    heartbeat_log_sample = 101
    token_overlap        = 21

    playback_cookie_domain = join("", ["a.", join("", [for _ in range(252) : "x"])])
  }

  expect_failures = [
    var.name,
    var.stage,
    var.memory_size,
    var.throttling_rate,
    var.throttling_burst,
    var.max_streams,
    var.lease_seconds,
    var.grace_seconds,
    var.anonymous_seconds,
    var.user_claim,
    var.limit_claim,
    var.group_limits_claim,
    var.reserved_concurrency,
    var.token_overlap,
    var.heartbeat_log_sample,
    var.playback_cookie_domain,
  ]
}

run "not_whole" {
  command = plan

  variables {
    memory_size       = 512.5
    throttling_burst  = 1.5
    max_streams       = 2.5
    lease_seconds     = 1.5
    grace_seconds     = 0.5
    anonymous_seconds = 0.5

    reserved_concurrency = 0.5
    heartbeat_log_sample = 1.5
    token_overlap        = 1.5
  }

  expect_failures = [
    var.memory_size,
    var.throttling_burst,
    var.max_streams,
    var.lease_seconds,
    var.grace_seconds,
    var.anonymous_seconds,
    var.reserved_concurrency,
    var.token_overlap,
    var.heartbeat_log_sample,
  ]
}

run "not_a_choice" {
  command = plan

  variables {
    runtime            = "python3.9"
    architecture       = "amd64"
    log_retention_days = 2
    on_limit           = "evict"
    anonymous          = "never"
    unknown_fields     = "warn"
    enforcement        = "off"
    on_store_failure   = "ajar"
    store_client       = "boto2"
    log_level          = "INFO"
  }

  expect_failures = [
    var.runtime,
    var.architecture,
    var.log_retention_days,
    var.on_limit,
    var.anonymous,
    var.unknown_fields,
    var.enforcement,
    var.on_store_failure,
    var.store_client,
    var.log_level,
  ]
}

run "badly_formed" {
  command = plan

  variables {
    name         = "Stream Limiter"
    stage        = "prod-eu"
    tags         = { "aws:made-up" = "x" }
    package_path = "tests/package.tar"
    log_hash_key = join("", [for _ in range(257) : "x"])
    kms_key_arn  = "arn:aws:kms:eu-west-1:123456789012:alias/streams"

    permissions_boundary = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [
    var.name,
    var.stage,
    var.tags,
    var.package_path,
    var.log_hash_key,
    var.kms_key_arn,
    var.permissions_boundary,
  ]
}

run "an_arn_instead_of_a_name" {
  command = plan

  variables {
    log_hash_key_parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/key"
    log_hash_key           = ""
  }

  expect_failures = [var.log_hash_key_parameter]
}

run "keys_instead_of_their_parameter" {
  command = plan

  variables {
    playback_key_parameter = "2026-a:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
  }

  expect_failures = [var.playback_key_parameter]
}

run "a_lease_above_five_minutes_with_tokens" {
  command = plan

  variables {
    playback_key_parameter = "/stream-limiter/playback-key"
    lease_seconds          = 301
  }

  expect_failures = [var.playback_key_parameter]
}

run "a_lease_of_five_minutes_with_tokens" {
  command = plan

  variables {
    playback_key_parameter = "/stream-limiter/playback-key"
    lease_seconds          = 300
  }
}

run "a_cookie_for_a_whole_top_level_domain" {
  command = plan

  variables {
    playback_cookie_domain = "com"
  }

  expect_failures = [var.playback_cookie_domain]
}

run "a_cookie_with_more_than_a_domain" {
  command = plan

  variables {
    playback_cookie_domain = "example.com; Path=/"
  }

  expect_failures = [var.playback_cookie_domain]
}

run "two_keys_for_one_hash" {
  command = plan

  variables {
    log_hash_key           = "made-up"
    log_hash_key_parameter = "/stream-limiter/log-hash-key"
  }

  expect_failures = [var.log_hash_key_parameter]
}

run "snap_start_with_an_unsupported_runtime" {
  command = plan

  variables {
    runtime    = "python3.11"
    snap_start = true
  }

  expect_failures = [aws_lambda_function.route]
}

run "snap_start_with_the_lean_client" {
  command = plan

  variables {
    snap_start   = true
    store_client = "lean"
  }

  expect_failures = [aws_lambda_function.route]
}

run "a_heartbeat_of_zero" {
  command = plan

  variables {
    heartbeat_seconds = 0
  }

  expect_failures = [var.heartbeat_seconds]
}

run "heartbeat_as_long_as_the_lease" {
  command = plan

  variables {
    lease_seconds     = 20
    heartbeat_seconds = 20
  }

  expect_failures = [var.heartbeat_seconds]
}
