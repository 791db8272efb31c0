"""One table of tokens, and the required decision of every verifier."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final

from cbor2 import CBORTag, dumps, loads

from adapters.playback_keys import PlaybackKey
from adapters.playback_token import TokenMint, subject_of

KEY: Final = PlaybackKey("2026-07-18-b_key", bytes(range(32)))
OLD_KEY: Final = PlaybackKey("2026-a", bytes(range(32, 64)))
FOREIGN_KEY: Final = PlaybackKey(KEY.kid, bytes(range(64, 96)))
KEYS: Final = (KEY, OLD_KEY)
"""The keys that every verifier knows, in the middle of a rotation."""

TOKEN_HEADER: Final = "cta-common-access-token"
"""The header in which a request for video has its token, spelled here once for all tests."""

GOOD, INVALID, EXPIRED, PATH = "good", "invalid", "expired", "path"
LEASE: Final = 300
VIDEO: Final = "/films/7/segment-1.ts"
PATHS: Final = {"/uhd/": "uhd"}
"""The group that every verifier requires below a path."""

UHD: Final = "/uhd/7/segment-1.ts"


@dataclass(frozen=True)
class Row:
    """A token, and the decision when this path is requested with it."""

    token: str
    verdict: str
    path: str = VIDEO


def base64url(content: bytes) -> str:
    """Return bytes in base64url without padding."""
    return urlsafe_b64encode(content).decode().rstrip("=")


def key_text(key: PlaybackKey) -> str:
    """Return the secret as the KeyValueStore has it."""
    return base64url(key.secret)


def structure(token: str) -> Any:
    """Return the token's outer tag, and its content."""
    return loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def signed(
    claims: Any, key: PlaybackKey = KEY, algorithm: int = 5, digest: str = "sha256", size: int = 32
) -> str:
    """Return a token with any claims, signed in any way."""
    protected, payload = dumps({1: algorithm}), dumps(claims)
    tag = hmac.digest(key.secret, dumps(["MAC0", protected, b"", payload]), digest)[:size]
    return base64url(dumps(CBORTag(61, CBORTag(17, [protected, {4: key.kid.encode()}, payload, tag]))))


def table(now: int) -> dict[str, Row]:
    """Return the rows by their names."""
    mint = TokenMint(KEYS[0])
    exp = now + LEASE
    good = mint.mint("viewer-1", "tv-1", exp, now)
    claims = {1: "stream-limiter", 2: subject_of("viewer-1", KEY), 4: exp, 6: now, 7: b"tv-1"}
    longest = mint.mint("é" * 64, "x" * 64, exp, now, f"/{'p' * 600}/")
    in_groups = mint.mint("viewer-1", "tv-1", exp, now, groups=("away", "uhd"))
    away = mint.mint("viewer-1", "tv-1", exp, now, groups=("away",))
    most_groups = [f"{number:x<32}" for number in range(4)]
    in_films = mint.mint("viewer-1", "tv-1", exp, now, "/films/")
    long_prefix = {312: {3: {1: f"/films/{'p' * 1000}/"}}}
    cwt = structure(good)
    protected, _, payload, tag = cwt.value.value
    return {
        "good": Row(good, GOOD),
        "expired": Row(mint.mint("viewer-1", "tv-1", now - 1, now - LEASE), EXPIRED),
        "a session": Row(mint.mint("viewer-1", "tv-1", exp, now, session_until=exp + LEASE), GOOD),
        "an ended session": Row(mint.mint("viewer-1", "tv-1", exp, now, session_until=now), GOOD),
        "rotated key": Row(TokenMint(OLD_KEY).mint("viewer-1", "tv-1", exp, now), GOOD),
        "another key": Row(TokenMint(FOREIGN_KEY).mint("viewer-1", "tv-1", exp, now), INVALID),
        "another key, expired": Row(TokenMint(FOREIGN_KEY).mint("viewer-1", "tv-1", now - 1, now), INVALID),
        "another issuer": Row(signed({**claims, 1: "another"}), INVALID),
        "no issuer": Row(signed({name: claims[name] for name in (2, 4, 6, 7)}), INVALID),
        "another algorithm: HMAC 256/64": Row(signed(claims, algorithm=4, size=8), INVALID),
        "another algorithm: HMAC 384": Row(signed(claims, algorithm=6, digest="sha384", size=48), INVALID),
        "another algorithm in its header alone": Row(signed(claims, algorithm=6), INVALID),
        "a shortened signature": Row(signed(claims, size=8), INVALID),
        "cut": Row(good[:-3], INVALID),
        "cut to nothing": Row(good[:4], INVALID),
        "changed": Row(good[:60] + ("A" if good[60] != "A" else "B") + good[61:], INVALID),
        "without the tag of a CWT": Row(base64url(dumps(cwt.value)), GOOD),
        "untagged": Row(base64url(dumps(cwt.value.value)), INVALID),
        "tagged as signed": Row(base64url(dumps(CBORTag(61, CBORTag(18, cwt.value.value)))), INVALID),
        "bytes after it": Row(base64url(dumps(cwt) + b"\0"), INVALID),
        "not base64url": Row(good[:60] + "*" + good[61:], INVALID),
        "its path": Row(in_films, GOOD),
        "another path": Row(in_films, PATH, path="/series/7/segment-1.ts"),
        "a path that begins alike": Row(in_films, PATH, path="/films-uhd/segment-1.ts"),
        "a prefix without its slash": Row(signed({**claims, 312: {3: {1: "/films"}}}), PATH),
        "a restriction of another kind": Row(signed({**claims, 312: {1: {1: "cdn."}}}), PATH),
        "a prefix and a host": Row(signed({**claims, 312: {3: {1: "/films/"}, 1: {1: "cdn."}}}), PATH),
        "a prefix and a suffix": Row(signed({**claims, 312: {3: {1: "/films/", 2: ".ts"}}}), PATH),
        "the longest names": Row(longest, GOOD, path=f"/{'p' * 600}/segment-1.ts"),
        "above one kilobyte": Row(
            signed({**claims, **long_prefix}), INVALID, path=f"/films/{'p' * 1000}/1.ts"
        ),
        "its group's path": Row(in_groups, GOOD, path=UHD),
        "another path than its group's": Row(in_groups, GOOD),
        "a group's path, without groups": Row(good, PATH, path=UHD),
        "a group's path, in another group": Row(away, PATH, path=UHD),
        "another group's token elsewhere": Row(away, GOOD),
        "a group's path, expired": Row(
            mint.mint("viewer-1", "tv-1", now - 1, now - LEASE, groups=("uhd",)), EXPIRED, path=UHD
        ),
        "a group's path as a prefix, with the group": Row(
            mint.mint("viewer-1", "tv-1", exp, now, "/uhd/7/", groups=("uhd",)), GOOD, path=UHD
        ),
        "a group's path as a prefix, without groups": Row(
            mint.mint("viewer-1", "tv-1", exp, now, "/uhd/"), PATH, path=UHD
        ),
        "groups that are no array": Row(signed({**claims, -65537: "uhd"}), PATH, path=UHD),
        "the longest names in four groups": Row(
            mint.mint("é" * 64, "x" * 64, exp, now, f"/{'p' * 254}/", groups=most_groups),
            GOOD,
            path=f"/{'p' * 254}/1.ts",
        ),
        "an expiry that is text": Row(signed({**claims, 4: str(exp)}), INVALID),
        "no expiry": Row(signed({name: claims[name] for name in (1, 2, 6, 7)}), INVALID),
        "an endless expiry": Row(signed({**claims, 4: float("inf")}), INVALID),
        "a kid that no key has": Row(
            base64url(dumps(CBORTag(61, CBORTag(17, [protected, {4: b"other"}, payload, tag])))), GOOD
        ),
        "no kid": Row(base64url(dumps(CBORTag(61, CBORTag(17, [protected, {}, payload, tag])))), GOOD),
    }


NAMES: Final = tuple(table(0))
