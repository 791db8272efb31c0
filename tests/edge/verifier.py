"""A verifier of playback tokens by the rules of the edge: a second opinion on each row of `tokens`."""

import hmac
from collections.abc import Sequence
from typing import Final

from cbor2 import CBORTag, dumps

from adapters.playback_keys import PlaybackKey
from adapters.playback_token import Claims, TokenInvalid, claims_of, decoded, token_bytes

CWT_TAG: Final = 61
MAC0_TAG: Final = 17
ALGORITHM: Final = 1
HS256: Final = 5


class TokenExpired(Exception):
    """The token is genuine, but has expired."""


def verify(token: str, keys: Sequence[PlaybackKey], now: float) -> Claims:
    """Return the claims of a token, by the rules of the edge: without leeway.

    The caller checks the path (`Claims.path_prefix`, `Claims.groups`).

    Raises:
        TokenInvalid: none of the keys has signed such a token.
        TokenExpired: it expired at `now` or earlier.
    """
    message = _message(token_bytes(token))
    match message:
        case [bytes(protected), dict(), bytes(payload), bytes(tag)]:
            signer = next(
                (key for key in keys if hmac.compare_digest(tag, _tag(key, protected, payload))), None
            )
        case _:
            raise TokenInvalid("not a COSE_Mac0")
    if signer is None:
        raise TokenInvalid("signed by none of the keys")
    header = decoded(protected)
    if not isinstance(header, dict) or header.get(ALGORITHM) != HS256:
        raise TokenInvalid("another algorithm than HMAC-SHA256")
    claims = claims_of(payload, signer.kid)
    if claims.expires_at <= now:
        raise TokenExpired
    return claims


def _message(content: bytes) -> object:
    outer = decoded(content)
    if isinstance(outer, CBORTag) and outer.tag == CWT_TAG:  # optional: RFC 8392
        outer = outer.value
    if not isinstance(outer, CBORTag) or outer.tag != MAC0_TAG:
        raise TokenInvalid("not tagged as a COSE_Mac0")
    return outer.value


def _tag(key: PlaybackKey, protected: bytes, payload: bytes) -> bytes:
    return hmac.digest(key.secret, dumps(["MAC0", protected, b"", payload]), "sha256")
