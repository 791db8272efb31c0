# The edge: a function that checks playback tokens, to attach to your own distribution. See docs/edge.md.

locals {
  prefix = "${var.name}-${var.stage}"
}

# Its value `config` holds the keys, so it is not created here: it would be in the state.
resource "aws_cloudfront_key_value_store" "edge" {
  name    = "${local.prefix}-edge"
  comment = "Playback keys and mode of ${local.prefix}"
}

resource "aws_cloudfront_function" "viewer_request" {
  name                         = "${local.prefix}-viewer-request"
  comment                      = "Lets requests with a playback token through"
  runtime                      = "cloudfront-js-2.0"
  code                         = file("${path.module}/../../edge/viewer-request.js")
  key_value_store_associations = [aws_cloudfront_key_value_store.edge.arn]
  publish                      = true
}
