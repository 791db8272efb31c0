# Every input is checked before anything is created. One run per input that must be refused.

mock_provider "aws" {}

variables {
  stage        = "test"
  package_path = "tests/package.zip"
}

run "missing_package" {
  command = plan

  variables {
    package_path = "tests/missing.zip"
  }

  expect_failures = [terraform_data.package]
}

run "name_with_a_space" {
  command = plan

  variables {
    name = "Stream Limiter"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "a-name-that-is-longer-than-32-letters"
  }

  expect_failures = [var.name]
}

run "stage_with_a_hyphen" {
  command = plan

  variables {
    stage = "prod-eu"
  }

  expect_failures = [var.stage]
}

run "stage_empty" {
  command = plan

  variables {
    stage = ""
  }

  expect_failures = [var.stage]
}

run "tags_reserved_by_aws" {
  command = plan

  variables {
    tags = { "aws:made-up" = "x" }
  }

  expect_failures = [var.tags]
}

run "package_path_not_a_zip" {
  command = plan

  variables {
    package_path = "tests/package.tar"
  }

  expect_failures = [var.package_path]
}

run "runtime_too_old" {
  command = plan

  variables {
    runtime = "python3.9"
  }

  expect_failures = [var.runtime]
}

run "architecture_unknown" {
  command = plan

  variables {
    architecture = "amd64"
  }

  expect_failures = [var.architecture]
}

run "memory_size_too_small" {
  command = plan

  variables {
    memory_size = 127
  }

  expect_failures = [var.memory_size]
}

run "memory_size_not_whole" {
  command = plan

  variables {
    memory_size = 512.5
  }

  expect_failures = [var.memory_size]
}

run "log_retention_days_not_offered" {
  command = plan

  variables {
    log_retention_days = 2
  }

  expect_failures = [var.log_retention_days]
}

run "log_retention_days_for_ever" {
  command = plan

  variables {
    log_retention_days = 0
  }

  expect_failures = [var.log_retention_days]
}

run "throttling_rate_of_nothing" {
  command = plan

  variables {
    throttling_rate = 0
  }

  expect_failures = [var.throttling_rate]
}

run "throttling_burst_of_nothing" {
  command = plan

  variables {
    throttling_burst = 0
  }

  expect_failures = [var.throttling_burst]
}

run "max_streams_negative" {
  command = plan

  variables {
    max_streams = -1
  }

  expect_failures = [var.max_streams]
}

run "max_streams_above_the_ceiling" {
  command = plan

  variables {
    max_streams = 21
  }

  expect_failures = [var.max_streams]
}

run "max_streams_not_whole" {
  command = plan

  variables {
    max_streams = 2.5
  }

  expect_failures = [var.max_streams]
}

run "lease_seconds_of_nothing" {
  command = plan

  variables {
    lease_seconds = 0
  }

  expect_failures = [var.lease_seconds]
}

run "lease_seconds_longer_than_a_day" {
  command = plan

  variables {
    lease_seconds = 86401
  }

  expect_failures = [var.lease_seconds]
}

run "lease_seconds_not_whole" {
  command = plan

  variables {
    lease_seconds = 1.5
  }

  expect_failures = [var.lease_seconds]
}

run "heartbeat_seconds_of_nothing" {
  command = plan

  variables {
    heartbeat_seconds = 0
  }

  expect_failures = [var.heartbeat_seconds]
}

run "heartbeat_seconds_as_long_as_the_lease" {
  command = plan

  variables {
    heartbeat_seconds = 90
  }

  expect_failures = [var.heartbeat_seconds]
}

run "grace_seconds_negative" {
  command = plan

  variables {
    grace_seconds = -1
  }

  expect_failures = [var.grace_seconds]
}

run "grace_seconds_too_long" {
  command = plan

  variables {
    grace_seconds = 61
  }

  expect_failures = [var.grace_seconds]
}

run "anonymous_seconds_negative" {
  command = plan

  variables {
    anonymous_seconds = -1
  }

  expect_failures = [var.anonymous_seconds]
}

run "anonymous_seconds_longer_than_a_year" {
  command = plan

  variables {
    anonymous_seconds = 31536001
  }

  expect_failures = [var.anonymous_seconds]
}

run "anonymous_seconds_not_whole" {
  command = plan

  variables {
    anonymous_seconds = 0.5
  }

  expect_failures = [var.anonymous_seconds]
}

run "grace_seconds_not_whole" {
  command = plan

  variables {
    grace_seconds = 0.5
  }

  expect_failures = [var.grace_seconds]
}

run "on_limit_unknown" {
  command = plan

  variables {
    on_limit = "evict"
  }

  expect_failures = [var.on_limit]
}

run "enforcement_unknown" {
  command = plan

  variables {
    enforcement = "off"
  }

  expect_failures = [var.enforcement]
}

run "on_store_failure_unknown" {
  command = plan

  variables {
    on_store_failure = "ajar"
  }

  expect_failures = [var.on_store_failure]
}

run "log_level_in_capitals" {
  command = plan

  variables {
    log_level = "INFO"
  }

  expect_failures = [var.log_level]
}
