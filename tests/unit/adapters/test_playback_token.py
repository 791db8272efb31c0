import hmac
from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any

import pytest
from cbor2 import CBORTag, dumps, loads
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters import playback_token
from adapters.playback_keys import FixedKeys, PlaybackKey, parse_keys
from adapters.playback_token import (
    MAX_TOKEN_BYTES,
    Claims,
    PlaybackTokens,
    TokenInvalid,
    TokenMint,
    subject_of,
)
from domain.names import MAX_GROUPS, MAX_PATH_PREFIX
from domain.ports import Proof
from domain.streams import Lease
from tests.edge.tokens import base64url, key_text, structure
from tests.edge.verifier import TokenExpired, verify
from tests.support.properties import examples

NOW = 1_800_000_000
KEY = PlaybackKey("2026-a", bytes(range(32)))
OTHER = PlaybackKey("2026-b", bytes(range(1, 33)))
STREAM = "tv-1"
TOKEN = TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW)

KEYS = st.builds(
    PlaybackKey, st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True), st.binary(min_size=32, max_size=32)
)
USERS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32)
STREAMS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
SECONDS = st.integers(1, 2**33)
PREFIXES = st.none() | st.from_regex(r"(/[A-Za-z0-9._~é-]{1,20}){0,4}/", fullmatch=True)
MINTED = st.tuples(USERS, STREAMS, SECONDS, SECONDS, PREFIXES)
GROUPS = st.lists(
    st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True), max_size=MAX_GROUPS, unique=True
).map(lambda names: tuple(sorted(names)))


def spelled(key: PlaybackKey) -> str:
    """Return the key as written in the setting."""
    return f"{key.kid}:{key_text(key)}"


def signed(claims: Any, key: PlaybackKey = KEY, protected: bytes = dumps({1: 5})) -> str:
    """Return a token with these claims, valid or not."""
    payload = dumps(claims)
    tag = hmac.digest(key.secret, dumps(["MAC0", protected, b"", payload]), "sha256")
    return base64url(dumps(CBORTag(61, CBORTag(17, [protected, {4: key.kid.encode()}, payload, tag]))))


CONTENT = urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
CLAIMS = {1: "stream-limiter", 2: "someone", 4: NOW + 60, 6: NOW, 7: b"tv-1"}


def test_a_token_is_a_cwt_in_a_cose_mac0_with_the_claims_of_its_stream() -> None:
    """Each part of a token has its standard place: CloudFront reads exactly this structure."""
    cwt = structure(TOKEN)
    assert cwt.tag == 61
    assert cwt.value.tag == 17
    protected, unprotected, payload, tag = cwt.value.value
    assert loads(protected) == {1: 5}
    assert unprotected == {4: b"2026-a"}
    assert loads(payload) == {
        1: "stream-limiter",
        2: subject_of("viewer-1", KEY),
        4: NOW + 60,
        6: NOW,
        7: b"tv-1",
    }
    signed_text = b"\x84\x64MAC0" + dumps(protected) + b"\x40" + dumps(payload)
    assert tag == hmac.new(KEY.secret, signed_text, sha256).digest()


def test_a_path_prefix_is_a_restriction_of_the_uri() -> None:
    """Claim 312 (catu) limits the path (3) by its prefix (1), as the registry numbers them."""
    token = TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW, "/films/7/")
    payload = loads(structure(token).value.value[2])
    assert payload[312] == {3: {1: "/films/7/"}}
    assert dumps(payload, canonical=True) == structure(token).value.value[2]


def test_groups_are_a_private_claim() -> None:
    """Claim -65537 is an array of texts, and the encoding stays deterministic beside it and a path prefix."""
    for prefix in (None, "/films/7/"):
        token = TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW, prefix, groups=("away", "uhd"))
        content = structure(token).value.value[2]
        payload = loads(content)
        assert payload.pop(-65537) == ["away", "uhd"]
        without = TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW, prefix)
        assert payload == loads(structure(without).value.value[2])
        # RFC 8949, section 4.2.1: keys in the order of their encodings, bytewise.
        names = list(loads(content))
        assert names == sorted(names, key=dumps)
        assert dumps(loads(content), canonical=True) == content


def test_a_session_is_a_private_claim() -> None:
    """Claim -65538 is a time, comes last in the encoding, and is read by the service."""
    for groups in ((), ("uhd",)):
        token = TokenMint(KEY).mint(
            "viewer-1", STREAM, NOW + 60, NOW, groups=groups, session_until=NOW + 3600
        )
        content = structure(token).value.value[2]
        assert loads(content)[-65538] == NOW + 3600
        assert dumps(loads(content), canonical=True) == content
        names = list(loads(content))
        assert names == sorted(names, key=dumps)
        assert verify(token, [KEY], NOW).session_until == NOW + 3600
    assert verify(TOKEN, [KEY], NOW).session_until is None


class TestProof:
    """The proof of a user's stream that the service reads from a text."""

    ISSUER = PlaybackTokens(FixedKeys([KEY, OTHER]))

    @given(MINTED, SECONDS, st.sampled_from([KEY, OTHER]))
    def test_a_token_proves_its_own_stream(self, minted: Any, until: int, key: PlaybackKey) -> None:
        """A token proves its own stream, expired or not, under each of the keys, and no other's."""
        user, stream, expires_at, *_ = minted
        token = TokenMint(key).mint(*minted, session_until=until)
        assume(len(token) * 3 // 4 <= MAX_TOKEN_BYTES)
        assert self.ISSUER.proof(token, user, stream) == Proof(expires_at, until)
        assert self.ISSUER.proof(token, f"{user}x", stream) is None
        assert self.ISSUER.proof(token, user, f"{stream}x") is None

    @given(
        st.text() | st.binary().map(base64url) | st.binary().map(lambda rest: base64url(CONTENT[:22] + rest))
    )
    def test_other_texts_prove_nothing(self, text: str) -> None:
        """Any other text is refused without an error."""
        assert self.ISSUER.proof(text, "viewer-1", STREAM) is None

    def test_nothing_is_decoded_before_the_signature_is_right(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is decoded before the signature is right, because decoding could cost much time."""
        decoded: list[bytes] = []
        monkeypatch.setattr(playback_token, "decoded", decoded.append)
        changed = bytearray(CONTENT)
        changed[-1] ^= 1
        for text in (base64url(bytes(changed)), signed(CLAIMS, PlaybackKey(KEY.kid, bytes(32))), "AAAA"):
            assert self.ISSUER.proof(text, "viewer-1", STREAM) is None
        assert decoded == []

    @pytest.mark.parametrize("claims", [{**CLAIMS, 1: "another"}, {**CLAIMS, 312: {3: {1: "/films"}}}, [], 1])
    def test_other_content_signed_by_the_key_proves_nothing(self, claims: Any) -> None:
        """Other signed content, as of another service with the same key, proves nothing."""
        assert self.ISSUER.proof(signed(claims), "viewer-1", STREAM) is None

    def test_a_payload_that_is_not_a_byte_string_proves_nothing(self) -> None:
        """A right signature over another form proves nothing."""
        message = [dumps({1: 5}), {4: KEY.kid.encode()}]
        payload = dumps("text")
        head = dumps(CBORTag(61, CBORTag(17, [*message, b"", b""])))[:-2]
        content = dumps(["MAC0", message[0], b"", b""])[:-1] + payload
        tag = hmac.digest(KEY.secret, content, "sha256")
        assert self.ISSUER.proof(base64url(head + payload + dumps(tag)), "viewer-1", STREAM) is None


def test_a_lease_without_groups_has_no_claim_of_groups() -> None:
    """A token without groups has no claim of groups, so that CDNs that refuse unknown claims accept it."""
    assert TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW, groups=()) == TOKEN


def test_groups_are_in_tokens_only_if_paths_are_tied_to_them() -> None:
    """Unless paths are tied to groups, a token is byte for byte that of a stream without groups."""
    in_groups, in_none = Lease(STREAM, NOW, NOW + 60, groups=("away", "uhd")), Lease(STREAM, NOW, NOW + 60)
    tied = PlaybackTokens(FixedKeys([KEY]), with_groups=True)
    assert verify(tied.issue("viewer-1", in_groups, NOW), [KEY], NOW).groups == ("away", "uhd")
    assert tied.issue("viewer-1", in_none, NOW) == TOKEN
    for lease in (in_groups, in_none):
        assert PlaybackTokens(FixedKeys([KEY])).issue("viewer-1", lease, NOW) == TOKEN


def test_the_encoding_is_deterministic() -> None:
    """The encoding is deterministic, byte for byte, so that caches and logs may compare tokens."""
    assert TokenMint(KEY).mint("viewer-1", STREAM, NOW + 60, NOW) == TOKEN
    assert (
        b"\xd8\x3d\xd1\x84\x43\xa1\x01\x05\xa1\x04\x462026-a\x58\x3b"
        b"\xa5\x01\x6estream-limiter"
        b"\x02\x76"
        + subject_of("viewer-1", KEY).encode()
        + b"\x04\x1a"
        + (NOW + 60).to_bytes(4)
        + b"\x06\x1a"
        + NOW.to_bytes(4)
        + b"\x07\x44tv-1"
        b"\x58\x20" + structure(TOKEN).value.value[3]
    ) == CONTENT


@given(
    keys=st.lists(KEYS, min_size=1, max_size=3, unique_by=lambda key: key.secret),
    minted=MINTED,
    groups=GROUPS,
)
def test_a_token_minted_with_the_first_key_verifies_with_any_set_of_keys(
    keys: list[PlaybackKey], minted: tuple[str, str, int, int, str | None], groups: tuple[str, ...]
) -> None:
    """Under any set of keys a token verifies with the claims that it was given, and the first key's kid."""
    user, stream, expires_at, issued_at, prefix = minted
    token = TokenMint(keys[0]).mint(user, stream, expires_at, issued_at, prefix, groups=groups)
    claims = Claims(keys[0].kid, subject_of(user, keys[0]), stream, expires_at, issued_at, prefix, groups)
    for known in (keys, keys[::-1]):
        assert verify(token, known, expires_at - 1) == claims


@given(MINTED)
def test_the_longest_token_is_short_enough_for_cloudfront(
    minted: tuple[str, str, int, int, str | None],
) -> None:
    """The longest names leave room for a prefix of some 700 bytes."""
    token = TokenMint(PlaybackKey("k" * 16, KEY.secret)).mint(*minted)
    assert len(token) * 3 // 4 < MAX_TOKEN_BYTES - 700


def test_a_token_with_the_longest_names_and_most_groups_is_short_enough_for_cloudfront() -> None:
    """A token with the longest names and the greatest number of groups is short enough."""
    mint = TokenMint(PlaybackKey("k" * 16, KEY.secret))
    prefix = f"/{'p' * (MAX_PATH_PREFIX - 2)}/"
    groups = tuple(f"{number:x<32}" for number in range(MAX_GROUPS))
    token = mint.mint("é" * 64, "x" * 64, 2**33, 2**33, prefix, groups=groups)
    assert verify(token, [PlaybackKey("k" * 16, KEY.secret)], NOW).groups == groups
    assert len(token) * 3 // 4 < MAX_TOKEN_BYTES * 2 // 3


def test_a_token_expires_without_leeway() -> None:
    """A token is good until its expiry without leeway, because the token bound relies on that."""
    assert verify(TOKEN, [KEY], NOW + 59.999).stream_id == STREAM
    with pytest.raises(TokenExpired):
        verify(TOKEN, [KEY], NOW + 60)


def test_a_known_old_key_still_verifies() -> None:
    """A rotation refuses no token of a stream that plays."""
    assert verify(TOKEN, [OTHER, KEY], NOW).kid == KEY.kid
    with pytest.raises(TokenInvalid, match="none of the keys"):
        verify(TOKEN, [OTHER], NOW)


def test_a_foreign_token_is_invalid_and_not_expired() -> None:
    """A forged token is invalid before it is expired, because an unsigned expiry means nothing."""
    token = TokenMint(OTHER).mint("viewer-1", STREAM, NOW - 60, NOW - 120)
    with pytest.raises(TokenInvalid):
        verify(token, [KEY], NOW)


@given(place=st.integers(0, len(CONTENT) - 1), change=st.integers(1, 255))
def test_a_changed_token_is_invalid(place: int, change: int) -> None:
    """Any changed byte makes a token invalid, except in the kid, which nothing relies on; so does a cut."""
    kid = CONTENT.index(b"\xa1\x04\x46" + KEY.kid.encode())
    changed = CONTENT[:place] + bytes([CONTENT[place] ^ change]) + CONTENT[place + 1 :]
    for content in (changed, CONTENT[:place], CONTENT + bytes([change])):
        if content is not changed or not kid <= place < kid + 9:
            with pytest.raises(TokenInvalid):
                verify(base64url(content), [KEY], NOW)


@pytest.mark.parametrize("added", ["=", " ", "\n", "A", "+", "%3D", "é"])
def test_a_token_has_exactly_one_text(added: str) -> None:
    """A token has exactly one text, without padding or blanks, so that a cache or a log recognises it."""
    for token in (TOKEN + added, added + TOKEN, TOKEN[:8] + added + TOKEN[8:]):
        with pytest.raises(TokenInvalid):
            verify(token, [KEY], NOW)


@settings(max_examples=examples(10))
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_other_bytes_raise_one_kind_of_error(content: bytes) -> None:
    """Any other bytes, whatever their tags, raise one kind of error."""
    for token in (
        base64url(content),
        content.decode("latin-1"),
        base64url(dumps(CBORTag(17, [content, {}, content, b""]))),
    ):
        with pytest.raises(TokenInvalid):
            verify(token, [KEY], NOW)


@given(st.integers(0, 40), st.integers(0, 2**16), st.binary(max_size=40))
def test_cbor_tags_are_refused_and_not_evaluated(tag: int, depth: int, content: bytes) -> None:
    """Regular expressions, dates, big numbers and cycles in CBOR are refused, not evaluated."""
    nested = b"\x81" * min(depth, 900) + b"\x80"
    for unsigned in (dumps(CBORTag(tag, content)), bytes([0xC0 + tag % 24]) + nested, nested):
        with pytest.raises(TokenInvalid):
            verify(base64url(unsigned), [KEY], NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, 1: "another"},
        {key: value for key, value in CLAIMS.items() if key != 1},
        {**CLAIMS, 4: str(NOW + 60)},
        {**CLAIMS, 4: float("inf")},
        {**CLAIMS, 4: float("nan")},
        {key: value for key, value in CLAIMS.items() if key != 4},
        {**CLAIMS, 7: "text"},
        {**CLAIMS, 7: b"\xff"},
        {key: value for key, value in CLAIMS.items() if key != 2},
        {**CLAIMS, 312: {3: {1: "/films"}}},
        {**CLAIMS, 312: {3: {0: "/films/"}}},
        {**CLAIMS, 312: {3: {1: "/films/", 2: ".ts"}}},
        {**CLAIMS, 312: {3: {1: "/films/"}, 1: {1: "cdn."}}},
        {**CLAIMS, 312: "/films/"},
        ["not", "a", "map"],
        b"bytes",
    ],
    ids=repr,
)
def test_signed_claims_that_are_not_a_playback_tokens_are_refused(claims: Any) -> None:
    """Correctly signed claims are refused if they are not a playback token's or restrict it unreadably."""
    with pytest.raises(TokenInvalid):
        verify(signed(claims), [KEY], NOW)


def test_the_refused_claims_are_accepted_once_repaired() -> None:
    """The claims above are accepted once repaired, with a fraction of a second and without tag 61 too."""
    assert verify(signed({**CLAIMS, 4: NOW + 0.5}), [KEY], NOW).expires_at == NOW + 0.5
    bare = dumps(structure(signed(CLAIMS)).value)
    assert verify(base64url(bare), [KEY], NOW).stream_id == STREAM


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        (["uhd", "away"], ("uhd", "away")),
        ([], ()),
        (["uhd", 1, b"away", None, ["away"]], ("uhd",)),
        ("uhd", ()),
        ({"uhd": "uhd"}, ()),
        (b"uhd", ()),
        (None, ()),
    ],
    ids=repr,
)
def test_groups_are_read_as_the_edge_reads_them(claim: Any, groups: tuple[str, ...]) -> None:
    """Only a text in an array is a group; any other value opens no path, and the token stays good."""
    assert verify(signed({**CLAIMS, -65537: claim}), [KEY], NOW).groups == groups


@pytest.mark.parametrize(
    "protected", [dumps({1: 4}), dumps({1: 6}), dumps({}), dumps({1: "HS256"}), b"", dumps(5)]
)
def test_another_algorithm_is_refused(protected: bytes) -> None:
    """A token that names another algorithm than HMAC-SHA256 is refused."""
    with pytest.raises(TokenInvalid):
        verify(signed(CLAIMS, protected=protected), [KEY], NOW)


def test_a_token_above_a_kilobyte_is_refused() -> None:
    """A token of more than a kilobyte is refused, as CloudFront does."""
    fits = signed({**CLAIMS, 312: {3: {1: "/" + "a" * 840 + "/"}}})
    assert verify(fits, [KEY], NOW)
    with pytest.raises(TokenInvalid, match="1024"):
        verify(signed({**CLAIMS, 312: {3: {1: "/" + "a" * 1000 + "/"}}}), [KEY], NOW)


@pytest.mark.parametrize("tags", [[], [61], [18], [61, 18], [17, 61]])
def test_a_token_with_another_tag_is_refused(tags: list[int]) -> None:
    """A token without the tag of COSE_Mac0 is refused."""
    content = structure(TOKEN).value.value
    for tag in reversed(tags):
        content = CBORTag(tag, content)
    with pytest.raises(TokenInvalid):
        verify(base64url(dumps(content)), [KEY], NOW)


def test_a_subject_is_a_pseudonym() -> None:
    """The subject is 128 bits, the same for a user under a key, another for another user or key."""
    subject = subject_of("viewer-1", KEY)
    assert urlsafe_b64decode(subject + "==") == hmac.digest(KEY.secret, b"viewer-1", "sha256")[:16]
    assert len({subject, subject_of("viewer-2", KEY), subject_of("viewer-1", OTHER)}) == 3
    assert len(subject) == 22


@given(
    st.lists(KEYS, min_size=1, max_size=3, unique_by=lambda key: key.kid),
    st.sampled_from([",", ", ", " ,\n"]),
)
def test_keys_keep_their_order(keys: list[PlaybackKey], comma: str) -> None:
    """Keys keep their order, since the first signs, and lose blanks around them, typed by hand."""
    assert parse_keys(comma.join(map(spelled, keys)) + "\n") == tuple(keys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 1 is not"),
        (spelled(KEY) + ",", "key 2 is not"),
        (",".join(spelled(PlaybackKey(f"k{n}", KEY.secret)) for n in range(4)), "there are 4 playback keys"),
        (f"{spelled(KEY)},{spelled(PlaybackKey(KEY.kid, OTHER.secret))}", "the same kid"),
        (spelled(PlaybackKey("k" * 17, KEY.secret)), "key 1 is not"),
        (spelled(PlaybackKey("a b", KEY.secret)), "key 1 is not"),
        (spelled(PlaybackKey("", KEY.secret)), "key 1 is not"),
        (f"{spelled(OTHER)},{spelled(PlaybackKey('short', KEY.secret[:31]))}", "key 2 is not"),
        (spelled(PlaybackKey("long", KEY.secret + b"x")), "key 1 is not"),
        (spelled(KEY).replace("A", "+"), "key 1 is not"),
        (spelled(KEY).partition(":")[2], "key 1 is not"),
    ],
)
def test_a_wrong_key_is_reported_by_position_and_never_quoted(text: str, message: str) -> None:
    """The message, which goes into logs, has the place of the wrong key, and nothing of its content."""
    with pytest.raises(ValueError, match=message) as refusal:
        parse_keys(text)
    words = [part for key in text.split(",") for part in key.split(":") if len(part) > 6]
    assert not [word for word in words if word in str(refusal.value)]


def test_a_key_never_shows_its_secret() -> None:
    """A key's secret is not in its text, so a traceback or a log may show the key."""
    assert repr(KEY) == "PlaybackKey(kid='2026-a')"
