"""The service's settings: one model, read from the environment once."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from adapters.aws.api import StoreClient
from domain.policy import MAX_STREAMS, Enforcement, OnLimit, OnStoreFailure, Policy
from domain.streams import CEILING

DEFAULT: Final = Policy()


class Auth(StrEnum):
    """How callers are authenticated, by API Gateway, before a function sees them."""

    NONE = "none"
    """Not at all: the request names the user. For local use and private networks."""
    JWT = "jwt"
    """By a token: the user is its subject."""
    IAM = "iam"
    """By a signature of a trusted backend, which names the user and may name the limit."""


class LogLevel(StrEnum):
    """The least severe events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SettingsError(Exception):
    """The environment does not make valid settings; the text names each variable and what is wrong."""


class Settings(BaseModel):
    """What can be configured. Each field is read from the environment variable of its name in capitals.

    `terraform/variables.tf` holds the same settings under the same names, with the same bounds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    auth: Auth = Auth.JWT
    """Not given, a caller without a verified token is refused: trust is never a default."""
    limit_claim: Annotated[str, Field(min_length=1, max_length=128)] = "maxStreams"
    table_name: Annotated[str, Field(min_length=3, max_length=1024)]
    max_streams: Annotated[int, Field(ge=0, le=CEILING)] = MAX_STREAMS
    lease_seconds: Annotated[int, Field(ge=1, le=86_400)] = DEFAULT.lease_seconds
    heartbeat_seconds: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, default_factory=lambda given: given["lease_seconds"] / 3),
    ]
    """How often players are told to send a heartbeat. Not given: three times per lease."""
    grace_seconds: Annotated[int, Field(ge=0, le=60)] = DEFAULT.grace_seconds
    anonymous_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = DEFAULT.anonymous_seconds
    on_limit: OnLimit = DEFAULT.on_limit
    enforcement: Enforcement = DEFAULT.enforcement
    on_store_failure: OnStoreFailure = DEFAULT.on_store_failure
    store_client: StoreClient = StoreClient.AUTO
    log_level: LogLevel = LogLevel.INFO
    log_hash_key: Annotated[SecretStr, Field(max_length=256)] = SecretStr("")
    """Key of the hash that stands for a user in logs; empty: each process takes a random one."""
    log_hash_key_parameter: str = ""
    """Name of a parameter of AWS Systems Manager that holds that key instead; each process reads it once."""

    @model_validator(mode="after")
    def _heartbeat_is_shorter_than_lease(self) -> Self:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("HEARTBEAT_SECONDS must be shorter than LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _one_log_hash_key(self) -> Self:
        if self.log_hash_key_parameter and self.log_hash_key.get_secret_value():
            raise ValueError("LOG_HASH_KEY and LOG_HASH_KEY_PARAMETER exclude each other")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings.

        Raises:
            SettingsError: a variable is missing or wrong.
        """
        given = {name: value for name, value in environment.items() if value != ""}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
                if problem["type"] != "default_factory_not_called"  # follows from another problem
            )
            raise SettingsError("; ".join(problems)) from None

    @property
    def policy(self) -> Policy:
        """The part that the domain acts by."""
        return Policy(
            lease_seconds=self.lease_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
            grace_seconds=self.grace_seconds,
            anonymous_seconds=self.anonymous_seconds,
            on_limit=self.on_limit,
            enforcement=self.enforcement,
            on_store_failure=self.on_store_failure,
        )
