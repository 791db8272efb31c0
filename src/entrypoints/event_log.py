"""One structured event per request: a line of JSON on standard output."""

import json
import logging
import secrets
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import structlog
from pydantic import SecretStr
from pydantic_core import PydanticSerializationError, to_json

from adapters.aws.errors import ApiError
from adapters.keyed_digest import KeyedDigest
from adapters.parameter_store import ParameterUnavailable
from domain.errors import StreamLimiterError
from entrypoints.callers import NotAllowed
from entrypoints.metrics import METADATA
from entrypoints.settings import LogLevel, SettingsError

SAFE_TO_LOG: Final = (
    StreamLimiterError,
    ApiError,
    ParameterUnavailable,
    NotAllowed,
    SettingsError,
    OSError,
)
"""Errors whose texts contain no value of the request that failed."""

HASH_BYTES: Final = 8
"""Enough to distinguish the users of a service."""


class _StandardOutput:
    """The output of structlog: standard output at the time of the event."""

    def msg(self, line: str) -> None:
        """Write one line, at once."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    info = error = msg


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> str:
    """Return an event as a line of JSON, by pydantic's encoder: three times as fast as `json`.

    It is structlog's only processor, as structlog's own for levels, times and JSON double the time.
    """
    metadata = event.pop(METADATA, None)
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    try:
        line = to_json(event, fallback=repr).decode()
    except PydanticSerializationError:  # text that is not Unicode, which the standard library escapes
        line = json.dumps(event, default=_text)
    return line if metadata is None else f'{line[:-1]},"{METADATA}":{metadata}}}'


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


class EventLog:
    """The log of the service's events.

    Args:
        level: the lowest level that is written.
        hash_key: the key of the hash that stands for a user. If it is empty, each process takes a random key,
            and the events of one user can be found within one process only.
    """

    def __init__(self, level: LogLevel, hash_key: SecretStr) -> None:
        key = hash_key.get_secret_value().encode() or secrets.token_bytes(32)
        self._digest = KeyedDigest(key).digest
        self._is_first = True
        # Bound once: a logger from `get_logger` looks up its configuration at each event, which costs more
        # than the event.
        self._logger = structlog.wrap_logger(
            _StandardOutput(),
            processors=[_line],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.getLevelNamesMapping()[level.upper()]
            ),
        ).bind()

    def is_first(self) -> bool:
        """Return whether this is the first call: then the current request started the process."""
        first, self._is_first = self._is_first, False
        return first

    def user_hash(self, user_id: str) -> str:
        """Return the hash of a user for events, which cannot be reversed without the key."""
        return self._digest(user_id.encode())[:HASH_BYTES].hex()

    def request(self, **fields: Any) -> None:
        """Write that a request was answered as intended; a refusal is such an answer."""
        self._logger.info("request", **fields)

    def failure(self, error: Exception, **fields: Any) -> None:
        """Write that a request could not be served, with the error and its causes."""
        self._logger.error("request", exception=stack(error), **fields)

    def no_playback_key(self, error: Exception) -> None:
        """Write that the playback keys could not be read. Named starts fail while there are none."""
        self._logger.error("playback_key_unavailable", exception=stack(error))

    def no_hash_key(self, error: Exception) -> None:
        """Write that the hash key could not be read. This process uses a random one until it ends."""
        self._logger.error("log_hash_key_unavailable", exception=stack(error))


@cache
def emergency_log() -> EventLog:
    """Return the log of a process whose settings are wrong or incomplete. It uses none of them."""
    return EventLog(LogLevel.ERROR, SecretStr(""))


def stack(error: BaseException) -> str:
    """Return an error and its causes, the innermost last, each with its stack.

    Only the texts of errors in `SAFE_TO_LOG` are included: those of a library may quote a request.
    """
    text = f": {error}" if isinstance(error, SAFE_TO_LOG) else ""
    lines = [f"{type(error).__qualname__}{text}"]
    lines += [
        f"  {frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join([*lines, *([f"caused by {stack(cause)}"] if cause else [])])
