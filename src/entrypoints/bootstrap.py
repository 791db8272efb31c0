"""The composition root: builds the service out of its settings, once per process and on first use."""

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from pydantic import SecretStr

from adapters.aws.api import aws_api
from adapters.aws.errors import ApiError
from adapters.aws.timeouts import PROMPT
from adapters.clock import SystemClock
from adapters.dynamodb.client import DynamoDbClient
from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.parameter_store import ParameterUnavailable, parameter
from adapters.store_calls import StoreCalls
from domain.limiter import StreamLimiter
from domain.ports import Clock, StreamRepository
from entrypoints.callers import Callers
from entrypoints.event_log import EventLog, emergency_log
from entrypoints.http_request import KEY_BYTES
from entrypoints.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route works with.

    Attributes:
        limiter: the use cases.
        callers: tells whom a request is about.
        clock: tells the time.
        log: writes one event per request.
        new_key: makes an idempotency key for an anonymous call whose player gave none.
        store_calls: what the request at hand has asked of the store.
    """

    limiter: StreamLimiter
    callers: Callers
    clock: Clock
    log: EventLog
    new_key: Callable[[], str]
    store_calls: StoreCalls


def random_key() -> str:
    """An idempotency key that no other call has."""
    return secrets.token_urlsafe(KEY_BYTES)


def build(
    settings: Settings,
    repository: StreamRepository,
    clock: Clock,
    store_calls: StoreCalls,
) -> Service:
    """Wire the service over these ports; `store_calls` is what the repository writes down, if it does."""
    limiter = StreamLimiter(repository, clock, settings.policy)
    callers = Callers(settings.auth, settings.limit_claim, settings.max_streams)
    log = EventLog(settings.log_level, settings.log_hash_key)
    return Service(limiter, callers, clock, log, random_key, store_calls)


def dynamodb_repository(settings: Settings, calls: StoreCalls) -> StreamRepository:
    """The users' streams in the table that the settings name; its calls are written down.

    Raises:
        SettingsError: the environment does not say how to reach DynamoDB.
    """
    try:
        client = DynamoDbClient(aws_api("dynamodb", settings.store_client))
    except ApiError as error:
        raise SettingsError(f"DynamoDB cannot be called: {error}") from error
    api = MeteredApi(client, calls)
    return DynamoDbStreamRepository(api, settings.table_name, attempt_seconds=PROMPT.attempt_seconds)


def with_log_hash_key(settings: Settings) -> Settings:
    """The settings with the key that their parameter holds.

    A service that limits without a common key is better than none: where the parameter cannot be had, an
    error event says so and the settings stay as they are.
    """
    if not settings.log_hash_key_parameter:
        return settings
    try:
        with closing(aws_api("ssm", settings.store_client)) as ssm:
            key = parameter(settings.log_hash_key_parameter, ssm)
    except (ApiError, ParameterUnavailable) as error:
        emergency_log().no_hash_key(error)
        return settings
    return settings.model_copy(update={"log_hash_key": SecretStr(key)})


@cache
def service() -> Service:
    """The service of this process.

    Raises:
        SettingsError: the environment does not make valid settings.
    """
    settings = with_log_hash_key(Settings.from_environment())
    calls = StoreCalls()
    return build(settings, dynamodb_repository(settings, calls), SystemClock(), calls)
