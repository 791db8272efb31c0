"""One structured event per request: a line of JSON on standard output."""

import hmac
import logging
import secrets
import sys
from typing import Any, Final

import structlog
from pydantic import SecretStr

from entrypoints.settings import LogLevel

HASH_BYTES: Final = 8
"""Enough to tell a service's users apart."""


class EventLog:
    """Writes the service's events.

    Args:
        level: the least severe events that are written.
        hash_key: key of the hash that stands for a user. With an empty one each process takes a
            random key: then one user's events can be told together within one process only.
    """

    def __init__(self, level: LogLevel, hash_key: SecretStr) -> None:
        self._key = hash_key.get_secret_value().encode() or secrets.token_bytes(32)
        # Not cached on first use: a cached logger would escape `structlog.testing.capture_logs`.
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.getLevelNamesMapping()[level.upper()]
            ),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stdout),
            cache_logger_on_first_use=False,
        )
        self._logger = structlog.get_logger()

    def user_hash(self, user_id: str) -> str:
        """What stands for the user in events. It cannot be turned back without the key."""
        return hmac.digest(self._key, user_id.encode(), "sha256")[:HASH_BYTES].hex()

    def request(self, **fields: Any) -> None:
        """A request was answered as it should be; a refusal is such an answer."""
        self._logger.info("request", **fields)

    def failure(self, error: Exception, **fields: Any) -> None:
        """A request could not be served; the error and what caused it are written too."""
        self._logger.error("request", exc_info=error, **fields)
