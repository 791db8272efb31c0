"""Attacks on the heartbeat URL: the requests, and how each must end. None may reach the store."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapters.playback_token import TokenMint
from tests.e2e.support.token_attacks import beneath_the_signature, claims_of
from tests.edge.tokens import FOREIGN_KEY, KEY, base64url, signed

LEASE: Final = 90
"""Terraform's default of `lease_seconds`."""


@dataclass(frozen=True)
class RenewalAttack:
    """A change to the body of an honest heartbeat, and how it must end."""

    name: str
    body: Callable[[dict[str, str]], bytes]
    status: int = 401
    code: str = "unauthenticated"


def with_fields(name: str, *, status: int = 401, **fields: Any) -> RenewalAttack:
    """Return an honest heartbeat with other fields."""
    code = "unauthenticated" if status == 401 else "invalid_request"
    return RenewalAttack(name, lambda honest: json.dumps(honest | fields).encode(), status, code)


def with_token(name: str, change: Callable[[str], str]) -> RenewalAttack:
    """Return an honest heartbeat with a changed token."""
    return RenewalAttack(
        name, lambda honest: json.dumps(honest | {"playbackToken": change(honest["playbackToken"])}).encode()
    )


def of_bytes(name: str, content: bytes, status: int = 400, code: str = "invalid_request") -> RenewalAttack:
    """Return a body that is not a heartbeat."""
    return RenewalAttack(name, lambda _: content, status, code)


def with_claims(name: str, **claims: int) -> RenewalAttack:
    """Return a token under the right key whose times are shifted by this number of seconds."""
    numbers = {"exp": 4, "iat": 6, "session": -65538}

    def change(token: str) -> str:
        given = {numbers[claim]: int(time.time()) + seconds for claim, seconds in claims.items()}
        return signed(claims_of(token) | given)

    return with_token(name, change)


def without_session(token: str) -> str:
    """Return the token as it is issued without a heartbeat URL."""
    return signed({name: value for name, value in claims_of(token).items() if name != -65538})


RENEWALS: Final = (
    with_fields("another user", userId="viewer-victim"),
    with_fields("another stream", streamId="pc"),
    with_fields("another user and stream", userId="viewer-victim", streamId="pc"),
    with_fields("an empty token", playbackToken=""),
    with_fields("a token of another form", playbackToken="eyJhbGciOiJub25lIn0.e30."),
    with_fields("a token of three kilobytes", playbackToken="A" * 3000),
    with_fields("a number as a token", status=400, playbackToken=1),
    with_fields("a nested token", status=400, playbackToken={"token": ["A"]}),
    with_fields("another field", status=400, maxStreams=20),
    with_token("a foreign key", lambda t: signed(claims_of(t), FOREIGN_KEY)),
    with_token("minted by a foreign key", lambda _: TokenMint(FOREIGN_KEY).mint("viewer-1", "tv", 2**33, 0)),
    with_token("cut at its end", lambda t: t[:-4]),
    with_token("cut to its head", lambda t: t[:40]),
    with_token("a shorter signature", lambda t: t[:-12]),
    with_token("a later expiry", lambda t: beneath_the_signature(t, claims={4: 2**33})),
    with_token("a longer session", lambda t: beneath_the_signature(t, claims={-65538: 2**33})),
    with_token("another algorithm", lambda t: beneath_the_signature(t, protected={1: 4})),
    with_token("no algorithm", lambda t: beneath_the_signature(t, protected={})),
    with_token("another algorithm, signed", lambda t: signed(claims_of(t), KEY, 6, "sha384", 48)),
    with_token("bytes after it", lambda t: f"{t}AAAA"),
    with_token("CBOR that ends too early", lambda _: base64url(b"\xd8\x3d\xd1\x84\x43")),
    with_token("CBOR that announces a gigabyte", lambda _: base64url(b"\xd8\x3d\xd1\x5a\x40\x00\x00\x00")),
    with_token("CBOR nine hundred levels deep", lambda _: base64url(b"\x81" * 900)),
    with_token("CBOR with a huge exponent", lambda _: base64url(b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x01")),
    with_claims("a token that ended more than a lease ago", exp=-LEASE - 2, iat=-2 * LEASE),
    with_claims("an ended session", session=-1),
    with_token("a token without a session", without_session),
    of_bytes("no body", b""),
    of_bytes("not JSON", b"{"),
    of_bytes("no token", b'{"userId": "viewer-1", "streamId": "tv"}'),
    of_bytes("a list", b"[]"),
    of_bytes("JSON two thousand levels deep", b"[" * 2000),
    of_bytes("not UTF-8", b'{"userId": "\xff"}'),
    of_bytes("a body above the limit", b" " * 4097, 413, "body_too_large"),
    of_bytes("a body far above the limit", b"A" * 300_000, 413, "body_too_large"),
)
