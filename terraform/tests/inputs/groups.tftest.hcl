# Groups and their paths, one refusal per run. Only the variables are planned: without a provider a plan is quick.

variables {
  stage = "test"
  auth  = "none"
}

run "the_greatest_number_of_groups_and_paths" {
  command = plan

  variables {
    group_limits = { for number in range(15) : format("%032d", number) => 20 }
    group_labels = [join("", [for _ in range(32) : "."])]
    group_paths = merge(
      { "/${join("", [for _ in range(254) : "~"])}/" = join("", [for _ in range(32) : "."]) },
      { for number in range(25) : "/${number}/.../" => format("%032d", 0) },
    )
  }
}

run "a_limit_below_zero" {
  command = plan

  variables {
    group_limits = { uhd = -1 }
  }

  expect_failures = [var.group_limits]
}

run "a_limit_above_twenty" {
  command = plan

  variables {
    group_limits = { uhd = 21 }
  }

  expect_failures = [var.group_limits]
}

run "a_limit_that_is_not_whole" {
  command = plan

  variables {
    group_limits = { away = 1, uhd = 1.5 }
  }

  expect_failures = [var.group_limits]
}

run "a_limit_of_a_group_with_a_comma_in_its_name" {
  command = plan

  variables {
    group_limits = { "uhd,away" = 1 }
  }

  expect_failures = [var.group_limits]
}

run "a_limit_of_a_group_without_a_name" {
  command = plan

  variables {
    group_limits = { "" = 1 }
  }

  expect_failures = [var.group_limits]
}

run "a_limit_of_a_group_with_too_long_a_name" {
  command = plan

  variables {
    group_limits = { "${join("", [for _ in range(33) : "x"])}" = 1 }
  }

  expect_failures = [var.group_limits]
}

run "a_label_with_a_blank" {
  command = plan

  variables {
    group_labels = ["living room"]
  }

  expect_failures = [var.group_labels]
}

run "a_group_with_and_without_a_limit" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_labels = ["hdr", "uhd"]
  }

  expect_failures = [var.group_labels]
}

run "too_many_groups" {
  command = plan

  variables {
    group_limits = { for number in range(9) : "limited-${number}" => 1 }
    group_labels = [for number in range(8) : "shown-${number}"]
  }

  expect_failures = [var.group_labels]
}

run "a_path_of_an_unknown_group" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_labels = ["hdr"]
    group_paths  = { "/hdr/" = "hdr", "/far/" = "away" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_that_does_not_begin_with_a_slash" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "uhd/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_that_does_not_end_with_a_slash" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/uhd" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "every_path" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_with_an_empty_segment" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/films//uhd/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_with_a_dot_segment" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/films/./uhd/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_with_two_dots" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/../uhd/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_that_requires_url_encoding" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/uhd films/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "a_path_that_is_too_long" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { "/${join("", [for _ in range(255) : "x"])}/" = "uhd" }
  }

  expect_failures = [var.group_paths]
}

run "too_many_paths" {
  command = plan

  variables {
    group_limits = { uhd = 1 }
    group_paths  = { for number in range(27) : "/${number}/" => "uhd" }
  }

  expect_failures = [var.group_paths]
}
