# The resources of the edge. Nothing is created; the provider is mocked.

mock_provider "aws" {
  mock_resource "aws_cloudfront_key_value_store" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:key-value-store/0f2b6a52-5f1e-4b53-9f6c-6d6c1a2b3c4d"
    }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:function/streams-test-viewer-request"
    }
  }
}

variables {
  name  = "streams"
  stage = "test"
}

run "the_function_is_the_file_with_its_own_store" {
  assert {
    condition     = aws_cloudfront_function.viewer_request.code == file("../../edge/viewer-request.js")
    error_message = "The function's code is not the file that the tests run."
  }

  assert {
    condition     = aws_cloudfront_function.viewer_request.runtime == "cloudfront-js-2.0"
    error_message = "The runtime supports neither KeyValueStores nor CWTs."
  }

  assert {
    condition     = aws_cloudfront_function.viewer_request.key_value_store_associations == toset([aws_cloudfront_key_value_store.edge.arn])
    error_message = "The function cannot read its configuration."
  }

  assert {
    condition     = aws_cloudfront_function.viewer_request.publish
    error_message = "The function is not published, so no distribution can use it."
  }

  assert {
    condition = (
      aws_cloudfront_function.viewer_request.name == "streams-test-viewer-request"
      && aws_cloudfront_key_value_store.edge.name == "streams-test-edge"
    )
    error_message = "Two stages of an account would share a name."
  }

  assert {
    condition = (
      output.function_arn == aws_cloudfront_function.viewer_request.arn
      && output.function_name == aws_cloudfront_function.viewer_request.name
      && output.key_value_store_arn == aws_cloudfront_key_value_store.edge.arn
    )
    error_message = "An output does not match its resource."
  }
}

run "an_invalid_function_name" {
  command = plan

  variables {
    name = "Streams"
  }

  expect_failures = [var.name]
}

run "an_invalid_stage" {
  command = plan

  variables {
    stage = "prod-1"
  }

  expect_failures = [var.stage]
}
