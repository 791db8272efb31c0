"""The common key of the hash that replaces a user in a stage's logs, by default.

The key is in an SSM parameter: Terraform has only its name, and only the functions read its value.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

KEY_BYTES: Final = 32


class HashKeyError(Exception):
    """The parameter could not be created or deleted; the message gives the reason, without any value."""


@dataclass(frozen=True)
class HashKey:
    """A stage's key.

    Attributes:
        ssm: boto3's client.
        name: the parameter's name.
    """

    ssm: Any
    name: str

    def make(self) -> None:
        """Create the parameter; an existing one keeps its value.

        Raises:
            HashKeyError: it could not be created.
        """
        key = secrets.token_urlsafe(KEY_BYTES)
        try:
            self.ssm.put_parameter(Name=self.name, Value=key, Type="SecureString")
        except self.ssm.exceptions.ParameterAlreadyExists:
            return
        except (BotoCoreError, ClientError) as error:
            raise HashKeyError(
                f"The key of the log hash could not be created ({_reason(error)}): allow ssm:PutParameter on"
                f" {self.name}, or set log_hash_key_parameter (docs/security.md#logs)."
            ) from None
        print(f"Created the key of the log hash: the SSM parameter {self.name}.", flush=True)

    def delete(self) -> None:
        """Delete the parameter, if it exists.

        Raises:
            HashKeyError: it could not be deleted.
        """
        try:
            self.ssm.delete_parameter(Name=self.name)
        except self.ssm.exceptions.ParameterNotFound:
            return
        except (BotoCoreError, ClientError) as error:
            raise HashKeyError(
                f"The key of the log hash could not be deleted ({_reason(error)}): delete {self.name} in SSM."
            ) from None


def _reason(error: BotoCoreError | ClientError) -> str:
    """Return the reason without the message of an answer, which may quote the request."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
