"""The service's settings: one model, read from the environment once."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from adapters.aws.api import StoreClient
from adapters.playback_keys import PlaybackKey, parse_keys
from domain.policy import MAX_STREAMS, Enforcement, OnLimit, OnStoreFailure, Policy
from domain.streams import CEILING
from entrypoints.groups import MAX_GROUPS_TOTAL, MAX_PATHS, parse_labels, parse_limits, parse_paths
from entrypoints.setting_problems import sentence

DEFAULT: Final = Policy()

DOMAIN_PATTERN: Final = r"^(|[a-z0-9-]+(\.[a-z0-9-]+)+)$"
"""A domain of two labels or more, or nothing."""

NO_PLAYBACK_KEY: Final = "off"
"""The playback key that means none, for `make run`, which otherwise makes one."""

URL_PATTERN: Final = r"^(|https?://[^\s/?#]+/[^\s?#]*)$"
"""An absolute URL without a query, or nothing."""

MAX_GRACE_SECONDS: Final = 60

MAX_LEASE_SECONDS_WITH_TOKENS: Final = 300
"""A playback token is valid as long as its lease: it cannot be revoked."""


class Auth(StrEnum):
    """The way in which API Gateway authenticates callers before it calls a function."""

    NONE = "none"
    """No authentication: the request names the user. For local use and private networks."""
    JWT = "jwt"
    """A token, whose claim names the user."""
    IAM = "iam"
    """A signature of a trusted backend, which names the user and may name the limit."""


class UnknownFields(StrEnum):
    """The treatment of a request with fields that its route does not know."""

    REFUSE = "refuse"
    IGNORE = "ignore"
    """They are ignored, unless they are fields of the API in another spelling."""


class Anonymous(StrEnum):
    """The treatment of a start without a name."""

    ALLOW = "allow"
    REFUSE = "refuse"
    """Refused, but streams that were started before can be ended."""


class LogLevel(StrEnum):
    """The lowest level of events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


FORMS: Final = {
    DOMAIN_PATTERN: "a domain of two labels or more, such as example.com",
    URL_PATTERN: "an absolute URL without a query, such as https://heartbeat.example.com/",
}
"""The patterns in words."""


class SettingsError(Exception):
    """The environment does not contain valid settings. The text has a sentence for each wrong variable."""


def _keys(text: SecretStr) -> tuple[PlaybackKey, ...]:
    secret = text.get_secret_value()
    return () if secret in {"", NO_PLAYBACK_KEY} else parse_keys(secret)


def _check_keys(text: SecretStr) -> SecretStr:
    _keys(text)
    return text


class Settings(BaseModel):
    """The settings. Each field is read from the environment variable of its name in capitals.

    `terraform/variables.tf` has the same settings under the same names, with the same bounds, except
    `playback_key`, which would be in Terraform's state.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    auth: Auth = Auth.JWT
    """By default a caller without a verified token is refused: trust is never a default."""
    user_claim: Annotated[str, Field(min_length=1, max_length=128)] = "sub"
    """The token's claim for the user, such as a household: tokens with the same value share one limit."""
    limit_claim: Annotated[str, Field(min_length=1, max_length=128)] = "maxStreams"
    unknown_fields: UnknownFields = UnknownFields.REFUSE
    anonymous: Anonymous = Anonymous.ALLOW
    table_name: Annotated[str, Field(min_length=3, max_length=1024)]
    max_streams: Annotated[int, Field(ge=0, le=CEILING)] = MAX_STREAMS
    lease_seconds: Annotated[int, Field(ge=1, le=86_400)] = DEFAULT.lease_seconds
    heartbeat_seconds: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, default_factory=lambda given: given["lease_seconds"] / 3),
    ]
    """The interval of heartbeats, which answers state. By default a third of a lease."""
    grace_seconds: Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS)] = DEFAULT.grace_seconds
    anonymous_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = DEFAULT.anonymous_seconds
    on_limit: OnLimit = DEFAULT.on_limit
    enforcement: Enforcement = DEFAULT.enforcement
    on_store_failure: OnStoreFailure = DEFAULT.on_store_failure
    store_client: StoreClient = StoreClient.AUTO
    log_level: LogLevel = LogLevel.INFO
    log_hash_key: Annotated[SecretStr, Field(max_length=256)] = SecretStr("")
    """The key of the hash that stands for a user in logs; empty: each process takes a random one."""
    log_hash_key_parameter: str = ""
    """The parameter of AWS Systems Manager that holds that key instead; each process reads it once."""
    heartbeat_log_sample: Annotated[int, Field(ge=1, le=100)] = 1
    """One of this many successful heartbeats has an event; a metric of an event has up to 100 values."""

    playback_key: Annotated[SecretStr, AfterValidator(_check_keys)] = SecretStr("")
    """Keys of playback tokens: up to three `kid:base64url(32 bytes)`, the first signs. Empty or off: none."""
    playback_key_parameter: str = ""
    """The parameter of AWS Systems Manager that holds them instead; read again every five minutes."""
    token_overlap: Annotated[int, Field(ge=1, le=CEILING)] = 2
    """The number of streams above the limit that may have an unexpired playback token."""
    open_tokens: bool = DEFAULT.open_tokens
    """Whether a stream that is admitted unverified gets a playback token."""
    playback_cookie_domain: Annotated[str, Field(pattern=DOMAIN_PATTERN, max_length=253)] = ""
    """The parent domain of API and CDN, for which answers set the token as a cookie; empty: no cookie."""

    heartbeat_url: Annotated[str, Field(pattern=URL_PATTERN, max_length=2048)] = ""
    """A URL that accepts a playback token in place of a login; answers with a token name it. Empty: none."""
    session_seconds: Annotated[int, Field(ge=60, le=43_200)] = 43_200
    """How long a playback token can be renewed there without a login, at most until the login ends."""

    group_limits: Annotated[Mapping[str, int], BeforeValidator(parse_limits)] = {}
    """The number of a user's streams that may be in a group at once: `uhd=2,away=1`."""
    group_labels: Annotated[tuple[str, ...], BeforeValidator(parse_labels)] = ()
    """Groups that are counted and shown, but not limited: `hd,mobile`."""
    group_limits_claim: Annotated[str, Field(min_length=1, max_length=128)] = "groupLimits"
    """The token's claim for the user's limits of groups, in the form of `group_limits`."""
    group_paths: Annotated[Mapping[str, str], BeforeValidator(parse_paths), Field(max_length=MAX_PATHS)] = {}
    """Paths that the edge opens only to streams in a group: `/uhd/=uhd`. Tokens name groups only with it."""

    @model_validator(mode="after")
    def _heartbeat_is_shorter_than_lease(self) -> Self:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("HEARTBEAT_SECONDS must be shorter than LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _groups_are_consistent(self) -> Self:
        both = self.group_limits.keys() & set(self.group_labels)
        if both:
            raise ValueError(f"GROUP_LABELS has groups that GROUP_LIMITS has too: {', '.join(sorted(both))}")
        if len(self.groups) > MAX_GROUPS_TOTAL:
            raise ValueError(
                f"GROUP_LIMITS and GROUP_LABELS have more than {MAX_GROUPS_TOTAL} groups together"
            )
        unknown = set(self.group_paths.values()) - self.groups
        if unknown:
            raise ValueError(
                f"GROUP_PATHS names groups that are not configured: {', '.join(sorted(unknown))}"
            )
        return self

    @model_validator(mode="after")
    def _one_log_hash_key(self) -> Self:
        if self.log_hash_key_parameter and self.log_hash_key.get_secret_value():
            raise ValueError("LOG_HASH_KEY and LOG_HASH_KEY_PARAMETER exclude each other")
        return self

    @model_validator(mode="after")
    def _one_playback_key(self) -> Self:
        if self.playback_key_parameter and self.playback_key.get_secret_value():
            raise ValueError("PLAYBACK_KEY and PLAYBACK_KEY_PARAMETER exclude each other")
        if self.issues_tokens and self.lease_seconds > MAX_LEASE_SECONDS_WITH_TOKENS:
            raise ValueError(
                f"LEASE_SECONDS must be at most {MAX_LEASE_SECONDS_WITH_TOKENS} with a playback key, "
                "as a playback token lives as long as its lease"
            )
        if self.heartbeat_url and not self.issues_tokens:
            raise ValueError("HEARTBEAT_URL needs a playback key, as heartbeats there show a playback token")
        if self.heartbeat_url and self.playback_cookie_domain:
            raise ValueError("HEARTBEAT_URL and PLAYBACK_COOKIE_DOMAIN exclude each other")
        return self

    @property
    def groups(self) -> frozenset[str]:
        """The groups that a stream can be in."""
        return frozenset({*self.group_limits, *self.group_labels})

    @property
    def playback_keys(self) -> tuple[PlaybackKey, ...]:
        """The keys in PLAYBACK_KEY; those in a parameter are read later."""
        return _keys(self.playback_key)

    @property
    def issues_tokens(self) -> bool:
        """True if a playback key is configured, even if it cannot be read."""
        return bool(self.playback_key_parameter or self.playback_keys)

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
                sentence(problem, FORMS)
                for problem in error.errors(include_input=False, include_url=False)
                if problem["type"] != "default_factory_not_called"  # the result of another problem
            )
            raise SettingsError(" ".join(problems)) from None

    @property
    def policy(self) -> Policy:
        """The settings of the domain."""
        return Policy(
            lease_seconds=self.lease_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
            grace_seconds=self.grace_seconds,
            anonymous_seconds=self.anonymous_seconds,
            on_limit=self.on_limit,
            enforcement=self.enforcement,
            on_store_failure=self.on_store_failure,
            token_overlap=self.token_overlap if self.issues_tokens else None,
            open_tokens=self.open_tokens,
        )
