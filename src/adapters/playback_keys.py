"""The keys of playback tokens: from a setting, or from a parameter that is read at intervals."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapters.aws.api import AwsApi
from adapters.parameter_store import ParameterUnavailable, parameter
from domain.errors import TokensUnavailable

MAX_KEYS: Final = 3
FRESH_SECONDS: Final = 300
"""How long keys are used before they are read again. A rotation waits for this."""

STALE_SECONDS: Final = 900
"""How long keys are used if they cannot be read again."""

RETRY_SECONDS: Final = 10
"""The pause after a failed read if there are keys: an outage must not slow down every request."""

FIRST_RETRY_SECONDS: Final = 1
"""The pause if there are none, so that every start fails. Many cold starts at once can be throttled."""

_KEY: Final = re.compile(r"([A-Za-z0-9_-]{1,16}):([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class PlaybackKey:
    """A secret that signs and verifies tokens, and its name in a token."""

    kid: str
    secret: bytes = field(repr=False)


def parse_keys(text: str) -> tuple[PlaybackKey, ...]:
    """Return the keys in `kid:base64url(32 bytes)[,…]`: the first signs, all of them verify.

    Raises:
        ValueError: the text has another form. The message does not quote it, so it may be logged.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_KEYS:
        raise ValueError(f"there are {len(parts)} playback keys; {MAX_KEYS} are the most")
    keys = tuple(_parse_key(number, part) for number, part in enumerate(parts, start=1))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("two playback keys have the same kid")
    return keys


def _parse_key(number: int, text: str) -> PlaybackKey:
    match = _KEY.fullmatch(text)
    if not match:
        raise ValueError(
            f"playback key {number} is not of the form kid:secret, with a kid of 1 to 16 characters of"
            " A-Z a-z 0-9 _ - and a secret of 32 bytes as 43 characters of base64url without padding"
        )
    kid, secret = match.groups()
    return PlaybackKey(kid, urlsafe_b64decode(f"{secret}="))


class KeySource(Protocol):
    """A source of the current keys."""

    def refresh(self) -> None:
        """Read the keys again if that is due."""
        ...

    def keys(self) -> Sequence[PlaybackKey]:
        """Return the current keys, the first of which signs.

        Raises:
            TokensUnavailable: no key may be used now.
        """
        ...


class FixedKeys:
    """Keys that do not change while the process lives.

    Args:
        keys: the keys, of which the first signs.
    """

    def __init__(self, keys: Sequence[PlaybackKey]) -> None:
        self._keys = keys

    def refresh(self) -> None:
        """Do nothing: the keys are known."""

    def keys(self) -> Sequence[PlaybackKey]:
        """Return these keys."""
        return self._keys


class ParameterKeys:
    """Keys in a parameter of AWS Systems Manager, read again every five minutes.

    Args:
        name: the parameter's name.
        ssm: AWS Systems Manager.
        now: returns epoch seconds; the wall clock, as a function's other clocks may stop while it is frozen.
        on_failure: called with the error when the keys cannot be read.
    """

    def __init__(
        self,
        name: str,
        ssm: AwsApi,
        now: Callable[[], float],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._name = name
        self._ssm = ssm
        self._now = now
        self._on_failure = on_failure
        self._keys: Sequence[PlaybackKey] = ()
        self._read_at = self._tried_at = float("-inf")

    def refresh(self) -> None:
        """Read old keys again. If that fails, keep them, and wait before the next attempt."""
        now = self._now()
        pause = RETRY_SECONDS if self._keys else FIRST_RETRY_SECONDS
        if now - self._read_at < FRESH_SECONDS or now - self._tried_at < pause:
            return
        self._tried_at = now
        try:
            with closing(self._ssm):  # its connections would be idle until the next read
                self._keys = parse_keys(parameter(self._name, self._ssm))
        except (ParameterUnavailable, ValueError) as error:
            self._on_failure(error)
        else:
            self._read_at = now

    def keys(self) -> Sequence[PlaybackKey]:
        """Return the last keys that were read, unless they are too old."""
        if not self._keys or self._now() - self._read_at > STALE_SECONDS:
            raise TokensUnavailable("the playback keys cannot be read")
        return self._keys
