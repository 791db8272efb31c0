"""The common key of the hash that stands for a user in a stage's logs, which a stage has by default.

The key is in an SSM parameter: Terraform knows the parameter's name, and only the functions read its value.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

KEY_BYTES: Final = 32


class HashKeyError(Exception):
    """The parameter could not be made or deleted; the message says why, and quotes no value."""


@dataclass(frozen=True)
class HashKey:
    """A stage's key.

    Attributes:
        ssm: boto3's client.
        name: the parameter's.
    """

    ssm: Any
    name: str

    def make(self) -> None:
        """Make the parameter where there is none; one that is there keeps its value.

        Raises:
            HashKeyError: it could not be made.
        """
        key = secrets.token_urlsafe(KEY_BYTES)
        try:
            self.ssm.put_parameter(Name=self.name, Value=key, Type="SecureString")
        except self.ssm.exceptions.ParameterAlreadyExists:
            return
        except (BotoCoreError, ClientError) as error:
            raise HashKeyError(
                f"The key of the logs' hash could not be made ({_reason(error)}): allow ssm:PutParameter on"
                f" {self.name}, or set log_hash_key_parameter (docs/security.md#logs)."
            ) from None
        print(f"Made the key of the logs' hash: the SSM parameter {self.name}.", flush=True)

    def delete(self) -> None:
        """Delete the parameter, if it is there.

        Raises:
            HashKeyError: it could not be deleted.
        """
        try:
            self.ssm.delete_parameter(Name=self.name)
        except self.ssm.exceptions.ParameterNotFound:
            return
        except (BotoCoreError, ClientError) as error:
            raise HashKeyError(
                f"The key of the logs' hash is not deleted ({_reason(error)}): delete {self.name} in SSM."
            ) from None


def _reason(error: BotoCoreError | ClientError) -> str:
    """Return what went wrong: the text of an answer may quote what was sent."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
