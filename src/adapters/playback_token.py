"""Playback tokens, which the edge checks before it serves video.

A playback token is a Common Access Token (CTA-5007-B): the claims of a CWT (RFC 8392) in a COSE_Mac0
(RFC 9052) with HMAC-SHA256. CloudFront and other CDNs read it; `docs/edge.md` shows how others can.

The claims are numbered by the registry of CWT claims (https://www.iana.org/assignments/cwt/cwt.xhtml).
"""

import binascii
import hashlib
import hmac
import math
import re
import threading
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from typing import Any, Final

from cbor2 import CBORDecodeError, CBORDecoder, CBOREncoder, CBORTag, dumps

from adapters.keyed_digest import KeyedDigest
from adapters.playback_keys import MAX_KEYS, KeySource, PlaybackKey
from domain.ports import Proof
from domain.streams import Lease

ISSUER: Final = "stream-limiter"
MAX_TOKEN_BYTES: Final = 1024
"""The longest token that CloudFront accepts, before base64url."""

_SUBJECT_BYTES: Final = 16
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")

_CWT_TAG: Final = 61
_MAC0_TAG: Final = 17
_ALGORITHM, _KID = 1, 4
_HS256: Final = 5
_PROTECTED: Final = dumps({_ALGORITHM: _HS256})
_TAGGED_HEAD: Final = dumps(["MAC0", _PROTECTED, b"", b""])[:-1]
"""The input of a tag without the payload, which is its last item."""


class _Claim:
    """The numbers of the claims, as constants of a class: only dotted names can be keys of a pattern.

    The registry has no claim for groups or for renewal: these have the first numbers for private use.
    """

    ISS: Final = 1
    SUB: Final = 2
    EXP: Final = 4
    IAT: Final = 6
    CTI: Final = 7
    CATU: Final = 312
    GROUPS: Final = -65537
    SESSION_UNTIL: Final = -65538


class _Catu:
    """The numbers inside the claim `catu`: the path of a URI, and the match of its prefix."""

    PATH: Final = 3
    PREFIX_MATCH: Final = 1


class TokenInvalid(Exception):
    """The token was signed by none of the keys, or has other claims than those of `TokenMint`."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a verified token."""

    kid: str
    """The key that verified it."""
    subject: str
    """`subject_of` the user under the key that was first when it was minted."""
    stream_id: str
    expires_at: float
    issued_at: float
    path_prefix: str | None
    """The prefix of the paths that it opens; `None` = every path."""
    groups: tuple[str, ...] = ()
    """The groups that the stream is counted in, if the service puts them into tokens."""
    session_until: int | None = None
    """The time until which the holder may renew it without a login; `None` = never."""


def subject_of(user_id: str, key: PlaybackKey) -> str:
    """Return the user's pseudonym: 128 bits of an HMAC, as 22 characters of base64url.

    The log of a CDN then shows which tokens belong to one user, but not to which user. The same secret signs
    tokens. Their input begins with a byte (0x84) that cannot begin UTF-8 text, so a pseudonym is never the
    signature of a token.
    """
    return _base64url(hmac.digest(key.secret, user_id.encode(), "sha256")[:_SUBJECT_BYTES])


class TokenMint:
    """A mint that makes tokens under one key, and recognises them."""

    def __init__(self, key: PlaybackKey) -> None:
        self._digest = KeyedDigest(key.secret).digest
        self._kid = key.kid
        # A token up to its payload. Payload and tag are empty here, one byte each, and come last, as the
        # items of an array are encoded one after the other.
        message = [_PROTECTED, {_KID: key.kid.encode()}, b"", b""]
        self._head = dumps(CBORTag(_CWT_TAG, CBORTag(_MAC0_TAG, message)))[:-2]

    def mint(  # noqa: PLR0913 - each is a claim of its own, and the last three are optional
        self,
        user_id: str,
        stream_id: str,
        expires_at: int,
        issued_at: int,
        path_prefix: str | None = None,
        *,
        groups: Sequence[str] = (),
        session_until: int | None = None,
    ) -> str:
        """Return a token, in base64url without padding, for one stream until `expires_at` (epoch seconds).

        Args:
            user_id: the user, of whom the token holds only a pseudonym.
            stream_id: the name of the token (`cti`).
            expires_at: the token is valid before this second.
            issued_at: epoch seconds.
            path_prefix: a path that ends in `/`; the token opens the paths below it, or all paths without it.
            groups: the groups that the stream is counted in: the edge may require one of them below a path.
            session_until: the epoch second until which its holder may renew it without a login.
        """
        claims: dict[int, Any] = {
            _Claim.ISS: ISSUER,
            _Claim.SUB: self._subject(user_id),
            _Claim.EXP: expires_at,
            _Claim.IAT: issued_at,
            _Claim.CTI: stream_id.encode(),
        }
        if path_prefix is not None:
            claims[_Claim.CATU] = {_Catu.PATH: {_Catu.PREFIX_MATCH: path_prefix}}
        if groups:
            claims[_Claim.GROUPS] = list(groups)
        if session_until is not None:
            claims[_Claim.SESSION_UNTIL] = session_until
        content = _encoder.encode(claims)  # in the order that a deterministic encoding has
        payload = _byte_string_head(len(content)) + content
        return _base64url(self._head + payload + _TAG_HEAD + self._digest(_TAGGED_HEAD + payload))

    def claims(self, token: bytes, user_id: str) -> Claims | None:
        """Return the claims of a token that this mint has made for a user; `None` for any other bytes.

        Nothing is decoded before the signature is verified, as the bytes can come from any client.

        Raises:
            TokenInvalid: the key has signed something else.
        """
        if not token.startswith(self._head):
            return None
        payload, signature = token[len(self._head) : -_SIGNATURE_BYTES], token[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, _TAG_HEAD + self._digest(_TAGGED_HEAD + payload)):
            return None
        content = decoded(payload)
        if not isinstance(content, bytes):
            raise TokenInvalid("not a COSE_Mac0")
        claims = claims_of(content, self._kid)
        return claims if claims.subject == self._subject(user_id) else None

    def _subject(self, user_id: str) -> str:
        return _base64url(self._digest(user_id.encode())[:_SUBJECT_BYTES])


# Each is made once; there is room for the keys before a rotation and after it.
_mint_of: Final = lru_cache(maxsize=2 * MAX_KEYS)(TokenMint)


class PlaybackTokens:
    """The domain's `TokenIssuer`.

    Args:
        source: the keys that sign.
        with_groups: whether a stream's groups are in its tokens, as an edge needs that ties paths to groups.
    """

    def __init__(self, source: KeySource, *, with_groups: bool = False) -> None:
        self._source = source
        self._with_groups = with_groups

    def prepare(self) -> None:
        """Read the keys if that is due, by at most one call."""
        self._source.refresh()
        self._source.keys()

    def issue(self, user_id: str, lease: Lease, now: float, session_until: int | None = None) -> str:
        """Return the token of this lease."""
        signer = self._source.keys()[0]
        groups = lease.groups if self._with_groups else ()
        return _mint_of(signer).mint(
            user_id,
            lease.stream_id,
            lease.expires_at,
            math.floor(now),
            lease.path_prefix,
            groups=groups,
            session_until=session_until,
        )

    def proof(self, token: str, user_id: str, stream_id: str) -> Proof | None:
        """Return the proof in a token for this user's stream; `None` if there is none."""
        mints = map(_mint_of, self._source.keys())
        try:
            content = token_bytes(token)
            known = [claims for mint in mints if (claims := mint.claims(content, user_id))]
        except TokenInvalid:
            return None
        proofs = (Proof(one.expires_at, one.session_until) for one in known if one.stream_id == stream_id)
        return next(proofs, None)


def claims_of(payload: bytes, kid: str) -> Claims:
    """Return the claims in a payload that this key has signed.

    Raises:
        TokenInvalid: they are not those of a playback token.
    """
    content = decoded(payload)
    match content:
        case {
            _Claim.ISS: str(issuer),
            _Claim.SUB: str(subject),
            _Claim.EXP: int() | float() as exp,
            _Claim.IAT: int() | float() as iat,
            _Claim.CTI: bytes(cti),
        } if issuer == ISSUER and math.isfinite(exp):
            return Claims(
                kid,
                subject,
                _text(cti),
                exp,
                iat,
                path_prefix=_prefix(content),
                groups=_groups(content),
                session_until=_session_until(content),
            )
        case _:
            raise TokenInvalid("other claims than those of a playback token")


def _prefix(content: object) -> str | None:
    match content:
        case {_Claim.CATU: {_Catu.PATH: {_Catu.PREFIX_MATCH: str(prefix), **others}, **parts}} if (
            prefix.endswith("/") and not others and not parts
        ):
            return prefix
        case {_Claim.CATU: _}:
            raise TokenInvalid("another restriction of paths than one prefix that ends in /")
        case _:
            return None


def _groups(content: object) -> tuple[str, ...]:
    """Return the groups that open paths at the edge, which ignores a claim that is not an array."""
    match content:
        case {_Claim.GROUPS: list() as names}:
            return tuple(name for name in names if isinstance(name, str))
        case _:
            return ()


def _session_until(content: object) -> int | None:
    match content:
        case {_Claim.SESSION_UNTIL: int(until)}:
            return until
        case _:
            return None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise TokenInvalid("a name that is not text") from None


def token_bytes(token: str) -> bytes:
    """Return the bytes of a token's text.

    Raises:
        TokenInvalid: the text is not base64url without padding, or is longer than any token.
    """
    if not _BASE64URL.fullmatch(token):
        raise TokenInvalid("not base64url")
    try:
        content = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        raise TokenInvalid("not base64url") from None
    if len(content) > MAX_TOKEN_BYTES:
        raise TokenInvalid(f"more than {MAX_TOKEN_BYTES} bytes")
    return content


def decoded(content: bytes) -> object:
    """Return the one CBOR item that these bytes are.

    Raises:
        TokenInvalid: they are not CBOR, or more than one item.
    """
    source = BytesIO(content)
    try:
        item: object = CBORDecoder(source).decode()
    except CBORDecodeError:
        raise TokenInvalid("not CBOR") from None
    if source.read(1):
        raise TokenInvalid("bytes after the token")
    return item


@cache
def _byte_string_head(length: int) -> bytes:
    """Return the head of a byte string of this length."""
    return dumps(bytes(length))[:-length]


_TAG_HEAD: Final = _byte_string_head(hashlib.sha256().digest_size)
_SIGNATURE_BYTES: Final = len(_TAG_HEAD) + hashlib.sha256().digest_size
"""The length of the signature at the end of a token."""


class _Encoder(threading.local):
    """One encoder for each thread: making one for each token would double the time."""

    def __init__(self) -> None:
        self.encode = CBOREncoder(BytesIO()).encode_to_bytes


_encoder: Final = _Encoder()


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _base64url(content: bytes) -> str:
    """Return base64url without padding. It runs in C alone, as each token needs it twice."""
    return binascii.b2a_base64(content, newline=False).translate(_URL_SAFE, b"=").decode()
