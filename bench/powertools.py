"""A handler as a Python user would deploy it instead: Powertools for AWS Lambda around the bare call.

It has the parts that its documentation begins with: the
[parser](https://docs.aws.amazon.com/powertools/python/latest/utilities/parser/) with its envelope for HTTP
APIs, the [logger](https://docs.aws.amazon.com/powertools/python/latest/core/logger/) and the
[metrics](https://docs.aws.amazon.com/powertools/python/latest/core/metrics/).
"""

import compileall
import shutil
from pathlib import Path
from py_compile import PycInvalidationMode
from types import MappingProxyType
from typing import Final

from bench.calls import EVENT, TABLE
from dev import ROOT

VARIABLES: Final = MappingProxyType(
    {"POWERTOOLS_SERVICE_NAME": "stream-limiter", "POWERTOOLS_METRICS_NAMESPACE": "StreamLimiter"}
)

HANDLER: Final = f"""
import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import envelopes, event_parser
from pydantic import BaseModel, Field
mark("import")
client = boto3.client("dynamodb")
logger = Logger()
metrics = Metrics()

class Start(BaseModel):
    userId: str = Field(min_length=1, max_length=256)
    streamId: str = Field(pattern="^[A-Za-z0-9._-]+$", max_length=64)
    device: str | None = Field(default=None, max_length=64)

@logger.inject_lambda_context
@metrics.log_metrics
@event_parser(model=Start, envelope=envelopes.ApiGatewayV2Envelope)
def handler(start, context):
    answer = client.update_item(
        TableName="{TABLE}", Key={{"userId": {{"S": f"powertools-{{start.userId}}"}}}},
        UpdateExpression="ADD streamCount :one",
        ExpressionAttributeValues={{":one": {{"N": "1"}}}}, ReturnValues="ALL_NEW",
    )
    metrics.add_metric(name="Starts", unit=MetricUnit.Count, value=1)
    logger.info("start", extra={{"stream": start.streamId}})
    return {{"statusCode": 200, "body": answer["Attributes"]["streamCount"]["N"]}}

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "start", 512, "1"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:start"

mark("client")
event = {EVENT!r}
answer = handler(event, Context())
assert answer["statusCode"] == 200, answer
mark("call")
for _ in range(repeats):
    handler(event, Context())
"""


def install(folder: Path) -> None:
    """Put the library into this folder, with bytecode as in the zip; boto3 and pydantic are the zip's own."""
    (library,) = (ROOT / ".venv-bench").glob("lib/python3*/site-packages/aws_lambda_powertools")
    shutil.copytree(library, folder / library.name, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
