"""AWS Systems Manager's Parameter Store."""

from adapters.aws.api import AwsApi
from adapters.aws.errors import ApiError


class ParameterUnavailable(Exception):
    """The parameter could not be read. The text gives the reason, and nothing of its value."""


def parameter(name: str, ssm: AwsApi) -> str:
    """Return the decrypted value of a parameter, by one attempt at one call.

    Raises:
        ParameterUnavailable: it does not exist, may not be read, or the service did not answer.
    """
    try:
        answer = ssm.call("GetParameter", {"Name": name, "WithDecryption": True})
    except ApiError as error:
        raise ParameterUnavailable(str(error)) from error
    value = answer.get("Parameter", {}).get("Value")
    if not isinstance(value, str):
        raise ParameterUnavailable("an answer without a value")
    return value
