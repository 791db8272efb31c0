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

SAFE_TO_TELL: Final = (
    StreamLimiterError,
    ApiError,
    ParameterUnavailable,
    NotAllowed,
    SettingsError,
    OSError,
)
"""Errors whose texts name no value of a request that failed."""

HASH_BYTES: Final = 8
"""Enough to tell a service's users apart."""


class _StandardOutput:
    """Where structlog writes to: whatever standard output is at that moment."""

    def msg(self, line: str) -> None:
        """Write one line, at once."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    info = error = msg


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> str:
    """Return an event as a line of JSON, by pydantic's encoder: a third of the standard library's time.

    It is structlog's only processor: its own for levels, times and JSON take as long again.
    """
    metadata = event.pop(METADATA, None)
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    try:
        line = to_json(event, fallback=repr).decode()
    except PydanticSerializationError:  # text that is no Unicode: the standard library escapes it
        line = json.dumps(event, default=_text)
    return line if metadata is None else f'{line[:-1]},"{METADATA}":{metadata}}}'


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


class EventLog:
    """Writes the service's events.

    Args:
        level: the least severe events that are written.
        hash_key: key of the hash that stands for a user. With an empty one each process takes a
            random key: then one user's events can be told together within one process only.
    """

    def __init__(self, level: LogLevel, hash_key: SecretStr) -> None:
        key = hash_key.get_secret_value().encode() or secrets.token_bytes(32)
        self._digest = KeyedDigest(key).digest
        self._is_first = True
        # Bound once: to look up the configuration, as a logger from `get_logger` does at each event, costs
        # more than the event.
        self._logger = structlog.wrap_logger(
            _StandardOutput(),
            processors=[_line],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.getLevelNamesMapping()[level.upper()]
            ),
        ).bind()

    def is_first(self) -> bool:
        """Whether this is asked for the first time: then the request at hand started the process."""
        first, self._is_first = self._is_first, False
        return first

    def user_hash(self, user_id: str) -> str:
        """What stands for the user in events. It cannot be turned back without the key."""
        return self._digest(user_id.encode())[:HASH_BYTES].hex()

    def request(self, **fields: Any) -> None:
        """A request was answered as it should be; a refusal is such an answer."""
        self._logger.info("request", **fields)

    def failure(self, error: Exception, **fields: Any) -> None:
        """A request could not be served; the error and what caused it are written too."""
        self._logger.error("request", exception=stack(error), **fields)

    def no_playback_key(self, error: Exception) -> None:
        """Write that the playback keys could not be read; while none are known, named starts fail."""
        self._logger.error("playback_key_unavailable", exception=stack(error))

    def no_hash_key(self, error: Exception) -> None:
        """The key of the hash cannot be had: until this process ends, users stand under a random one."""
        self._logger.error("log_hash_key_unavailable", exception=stack(error))


@cache
def emergency_log() -> EventLog:
    """The log of a process whose settings are wrong or not complete: none of them counts for it."""
    return EventLog(LogLevel.ERROR, SecretStr(""))


def stack(error: BaseException) -> str:
    """The error and its causes, innermost last, each with the places that it passed.

    The texts of other errors than these are left out: a library's may quote what a caller sent.
    """
    text = f": {error}" if isinstance(error, SAFE_TO_TELL) else ""
    lines = [f"{type(error).__qualname__}{text}"]
    lines += [
        f"  {frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join([*lines, *([f"caused by {stack(cause)}"] if cause else [])])
