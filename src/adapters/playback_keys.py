"""The keys of playback tokens: given as a setting, or held by a parameter that is read again and again."""

from collections.abc import Callable, Sequence
from math import floor
from typing import Final, Protocol

from adapters.aws.api import AwsApi
from adapters.parameter_store import ParameterUnavailable, parameter
from adapters.playback_token import PlaybackKey, TokenMint, parse_keys
from domain.errors import TokensUnavailable
from domain.streams import Lease

FRESH_SECONDS: Final = 300
"""How long keys are used before they are read again: what a rotation waits for."""

STALE_SECONDS: Final = 900
"""How long keys are used while they cannot be read again."""

RETRY_SECONDS: Final = 10
"""The pause after a failed read: an outage must not slow down every request."""


class MintSource(Protocol):
    """Gives the mint of the current keys."""

    def refresh(self) -> None:
        """Read the keys again where that is due."""
        ...

    def mint(self) -> TokenMint:
        """Return the mint of the current keys.

        Raises:
            TokensUnavailable: there are no keys that may still be used.
        """
        ...


class FixedKeys:
    """Keys that never change while the process lives.

    Args:
        keys: the first signs.
    """

    def __init__(self, keys: Sequence[PlaybackKey]) -> None:
        self._mint = TokenMint(keys)

    def refresh(self) -> None:
        """Do nothing: the keys are known."""

    def mint(self) -> TokenMint:
        """Return the mint of these keys."""
        return self._mint


class ParameterKeys:
    """Keys that a parameter of AWS Systems Manager holds, read again every five minutes.

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
        self._mint: TokenMint | None = None
        self._read_at = self._tried_at = float("-inf")

    def refresh(self) -> None:
        """Read the keys again if they are old; keep them if that fails, and wait before the next attempt."""
        now = self._now()
        if now - self._read_at < FRESH_SECONDS or now - self._tried_at < RETRY_SECONDS:
            return
        self._tried_at = now
        try:
            self._mint = TokenMint(parse_keys(parameter(self._name, self._ssm)))
        except (ParameterUnavailable, ValueError) as error:
            self._on_failure(error)
        else:
            self._read_at = now

    def mint(self) -> TokenMint:
        """Return the mint of the keys that were read last, unless they are too old."""
        if self._mint is None or self._now() - self._read_at > STALE_SECONDS:
            raise TokensUnavailable("the playback keys cannot be read")
        return self._mint


class PlaybackTokens:
    """The domain's `TokenIssuer`, as Common Access Tokens.

    Args:
        keys: the keys that sign.
    """

    def __init__(self, keys: MintSource) -> None:
        self._keys = keys

    def prepare(self) -> None:
        """Read the keys where that is due: at most one call."""
        self._keys.refresh()
        self._keys.mint()

    def issue(self, user_id: str, lease: Lease, now: float) -> str:
        """Return the token of this lease."""
        mint = self._keys.mint()
        return mint.mint(user_id, lease.stream_id, lease.expires_at, floor(now), lease.path_prefix)
