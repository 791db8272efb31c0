"""The composition root, which builds the service from its settings, once per process and on first use.

Under Lambda SnapStart most of it is built on import instead, so that the snapshot contains it.
"""

import os
import random
import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydantic import SecretStr

from adapters.aws.api import AwsApi, aws_api, uses_snap_start
from adapters.aws.errors import ApiError
from adapters.aws.timeouts import PROMPT
from adapters.clock import SystemClock
from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.parameter_store import ParameterUnavailable, parameter
from adapters.playback_keys import FixedKeys, KeySource, ParameterKeys
from adapters.store_calls import StoreCalls
from domain.limiter import StreamLimiter
from domain.ports import Clock, StreamRepository, TokenIssuer
from entrypoints.callers import Callers
from entrypoints.event_log import EventLog, emergency_log
from entrypoints.http_request import KEY_BYTES
from entrypoints.sampling import SampledEventLog
from entrypoints.settings import Settings, SettingsError, UnknownFields


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that a route uses.

    Attributes:
        limiter: the use cases.
        callers: determines the user and the limits of a request.
        clock: the current time.
        log: writes one event per request.
        new_key: makes an idempotency key for an anonymous call without one.
        store_calls: the store calls of the current request.
        cookie_domain: the domain for which answers set the playback token as a cookie; empty: none.
        ignores_unknown_fields: whether a request may have fields that its route does not know.
        heartbeat_url: a URL that accepts a playback token in place of a login; empty: none.
    """

    limiter: StreamLimiter
    callers: Callers
    clock: Clock
    log: EventLog
    new_key: Callable[[], str]
    store_calls: StoreCalls
    cookie_domain: str
    ignores_unknown_fields: bool
    heartbeat_url: str


def random_key() -> str:
    """Return an idempotency key that no other call has."""
    return secrets.token_urlsafe(KEY_BYTES)


def build(
    settings: Settings,
    repository: StreamRepository,
    clock: Clock,
    store_calls: StoreCalls,
    ssm: AwsApi | None = None,
) -> Service:
    """Wire the service over these ports.

    Args:
        settings: the settings.
        repository: the users' streams.
        clock: the current time.
        store_calls: the record of the repository's calls.
        ssm: reads the playback keys, if a parameter holds them.
    """
    log = _log(settings, clock)
    limiter = StreamLimiter(repository, clock, settings.policy, _tokens(settings, clock, log, ssm))
    callers = Callers(
        auth=settings.auth,
        user_claim=settings.user_claim,
        limit_claim=settings.limit_claim,
        default_limit=settings.max_streams,
        anonymous=settings.anonymous,
        issues_tokens=settings.issues_tokens,
        groups=settings.groups,
        group_limits_claim=settings.group_limits_claim,
        default_group_limits=settings.group_limits,
        session_seconds=settings.session_seconds if settings.heartbeat_url else 0,
    )
    return Service(
        limiter=limiter,
        callers=callers,
        clock=clock,
        log=log,
        new_key=random_key,
        store_calls=store_calls,
        cookie_domain=settings.playback_cookie_domain,
        ignores_unknown_fields=settings.unknown_fields is UnknownFields.IGNORE,
        heartbeat_url=settings.heartbeat_url,
    )


def _log(settings: Settings, clock: Clock) -> EventLog:
    """Return the log, which samples heartbeats if the settings say so."""
    if settings.heartbeat_log_sample == 1:
        return EventLog(settings.log_level, settings.log_hash_key)
    return SampledEventLog(
        settings.log_level, settings.log_hash_key, settings.heartbeat_log_sample, clock.now
    )


def _tokens(settings: Settings, clock: Clock, log: EventLog, ssm: AwsApi | None) -> TokenIssuer | None:
    """Return the issuer of playback tokens, if there is a key."""
    source: KeySource
    if settings.playback_keys:
        source = FixedKeys(settings.playback_keys)
    elif settings.playback_key_parameter and ssm:
        source = ParameterKeys(settings.playback_key_parameter, ssm, clock.now, log.no_playback_key)
    else:
        return None
    from adapters.playback_token import PlaybackTokens  # noqa: PLC0415 - loads CBOR, which is useless without a key

    return PlaybackTokens(source, with_groups=bool(settings.group_paths))


def dynamodb_repository(settings: Settings, calls: StoreCalls) -> StreamRepository:
    """Return the repository over the table that the settings name. It records its calls.

    Raises:
        SettingsError: the environment lacks a variable that is needed to reach DynamoDB.
    """
    api = MeteredApi(_api("DynamoDB", settings), calls)
    return DynamoDbStreamRepository(api, settings.table_name, attempt_seconds=PROMPT.attempt_seconds)


def with_log_hash_key(settings: Settings, ssm: AwsApi) -> Settings:
    """Return the settings with the key of the log's hash, if a parameter holds it.

    A service without a common key is better than none: if the parameter cannot be read, an error event says
    so, and the settings stay unchanged.
    """
    if not settings.log_hash_key_parameter:
        return settings
    try:
        with closing(ssm):  # its connections would be idle for a long time
            key = parameter(settings.log_hash_key_parameter, ssm)
    except ParameterUnavailable as error:
        emergency_log().no_hash_key(error)
        return settings
    return settings.model_copy(update={"log_hash_key": SecretStr(key)})


def _api(service: str, settings: Settings) -> AwsApi:
    try:
        return aws_api(service.lower(), settings.store_client)
    except ApiError as error:
        raise SettingsError(f"{service} cannot be called: {error}") from error


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a service that copies of one process may share: they hold no secret and no random state.

    Attributes:
        settings: from the environment, without the value of any parameter.
        repository: the users' streams; its client has no connection yet.
        store_calls: the record of the repository's calls.
        ssm: reads the keys that parameters hold, if any; nothing is read yet.
    """

    settings: Settings
    repository: StreamRepository
    store_calls: StoreCalls
    ssm: AwsApi | None


def parts() -> Parts:
    """Build the parts of a service.

    Raises:
        SettingsError: the environment does not make valid settings.
    """
    settings = Settings.from_environment()
    calls = StoreCalls()
    repository = dynamodb_repository(settings, calls)
    by_parameter = settings.log_hash_key_parameter or settings.playback_key_parameter
    ssm = _api("SSM", settings) if by_parameter else None
    return Parts(settings, repository, calls, ssm)


def parts_for_snapshot() -> Parts | None:
    """Build the parts for a snapshot of Lambda SnapStart; return `None` if none is taken.

    Also return `None` if they cannot be built: the first request tries again, and answers with the error.
    """
    if uses_snap_start(os.environ):
        with suppress(Exception):
            return parts()
    return None


IN_SNAPSHOT: Final = parts_for_snapshot()
"""Built while the handlers are imported: a snapshot is taken after that, and before any request."""


@cache
def service() -> Service:
    """Return the service of this process.

    Under SnapStart the first request completes it: a restored copy must share neither the key of its log nor
    the state of its random numbers with the other copies of the snapshot.

    Raises:
        SettingsError: the environment does not make valid settings.
    """
    made = IN_SNAPSHOT or parts()
    random.seed()
    settings = with_log_hash_key(made.settings, made.ssm) if made.ssm else made.settings
    return build(settings, made.repository, SystemClock(), made.store_calls, made.ssm)
