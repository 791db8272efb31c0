"""AWS Systems Manager's Parameter Store, by the client that speaks to DynamoDB."""

import os
from collections.abc import Mapping
from typing import Any

from adapters.dynamodb.client import StoreClient, is_lean, sdk_client, signed_http
from adapters.dynamodb.failures import api_error
from adapters.dynamodb.lean_client import JsonApi


class ParameterUnavailable(Exception):
    """The parameter was not had; the text says why, and nothing of its value."""


def parameter(name: str, choice: StoreClient, environment: Mapping[str, str] = os.environ) -> str:
    """The value of this parameter, decrypted: one call, one attempt.

    Raises:
        ParameterUnavailable: it is not there, may not be read, or the service did not answer.
        NotConfigured: the lean client was chosen, and the environment lacks what it needs.
    """
    request = {"Name": name, "WithDecryption": True}
    try:
        answer = _lean(request, environment) if is_lean(choice, environment) else _sdk(request)
    except Exception as error:
        known = api_error(error)
        if known is None:
            raise
        raise ParameterUnavailable(str(known)) from error
    value = answer.get("Parameter", {}).get("Value")
    if not isinstance(value, str):
        raise ParameterUnavailable("an answer without a value")
    return value


def _lean(request: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    transport, signer = signed_http("ssm", environment)
    try:
        return JsonApi(transport, signer).call("AmazonSSM.GetParameter", request)
    finally:
        transport.close()


def _sdk(request: Mapping[str, Any]) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = sdk_client("ssm").get_parameter(**request)
    return answer
