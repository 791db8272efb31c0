from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.names import (
    check_device,
    check_groups,
    check_idempotency_key,
    check_path_prefix,
    check_play,
    check_stream_id,
    check_user_id,
)

Check = Callable[[str], str]


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (check_user_id, "1"),
        (check_user_id, " 1 "),
        (check_user_id, "ü" * 64),
        (check_user_id, "x" * 128),
        (check_user_id, "e\u0301"),  # not composed into é
        (check_user_id, "auth0|5f7c8ec7c33c6c004bbafe82"),
        (check_device, "Wohnzimmer 📺"),
        (check_device, "📺" * 16),
        (check_stream_id, "A-Z.a_z:09"),
        (check_stream_id, "x" * 64),
        (check_idempotency_key, "~!" * 127 + "x"),
    ],
)
def test_a_valid_text_is_unchanged(check: Check, text: str) -> None:
    """A valid text is neither stripped nor normalised."""
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "text", "field", "reason"),
    [
        (check_user_id, "", "userId", "must not be blank"),
        (check_user_id, " \u00a0\u2003", "userId", "must not be blank"),
        (check_user_id, "x" * 129, "userId", "must be at most 128 bytes in UTF-8"),
        (check_user_id, "ü" * 65, "userId", "must be at most 128 bytes in UTF-8"),
        (check_user_id, "1\n", "userId", "must not contain control characters"),
        (check_user_id, "1\x00", "userId", "must not contain control characters"),
        (check_user_id, "1\x85", "userId", "must not contain control characters"),
        (check_user_id, "\ud800", "userId", "must be valid Unicode text"),
        (check_device, "", "device", "must not be blank"),
        (check_device, "📺" * 17, "device", "must be at most 64 bytes in UTF-8"),
        (check_device, "t\tv", "device", "must not contain control characters"),
        (check_device, "tv\udfff", "device", "must be valid Unicode text"),
    ],
)
def test_an_invalid_text_names_its_field(check: Check, text: str, field: str, reason: str) -> None:
    """The error names the field and the rule."""
    with pytest.raises(InvalidInput) as caught:
        check(text)
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert str(caught.value) == f"{field} {reason}"


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a/b", "a#b", "ü", "٣", "a\n", "\na"])
def test_a_stream_id_has_a_restricted_alphabet(text: str) -> None:
    """A stream id has 1 to 64 ASCII characters that need no escaping anywhere, and no trailing line end."""
    with pytest.raises(InvalidInput, match=r"^streamId must be 1 to 64 characters of A-Z a-z 0-9 \. _ : -$"):
        check_stream_id(text)


@pytest.mark.parametrize("text", ["", "x" * 256, "a b", "a\x7f", "é", "a\n"])
def test_an_idempotency_key_is_printable_ascii(text: str) -> None:
    """An idempotency key has 1 to 255 printable ASCII characters without spaces."""
    with pytest.raises(InvalidInput, match=r"^Idempotency-Key must be 1 to 255 printable ASCII"):
        check_idempotency_key(text)


@pytest.mark.parametrize("check", [check_user_id, check_device, check_stream_id, check_idempotency_key])
@given(text=st.text(st.characters(), max_size=140) | st.text("aZ9.:_- \n", max_size=80))
def test_any_text_is_either_valid_or_refused(check: Check, text: str) -> None:
    """Any text comes back unchanged and storable, or is refused as invalid input."""
    try:
        assert check(text) == text
    except InvalidInput:
        return
    assert 1 <= len(text.encode()) <= 255


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 65, "a/b"])
def test_a_play_is_checked_like_a_stream_id(text: str) -> None:
    """A play has the alphabet of a stream id, and errors name it as a play."""
    with pytest.raises(
        InvalidInput, match=r"^play must be 1 to 64 characters of A-Z a-z 0-9 \. _ : -$"
    ) as caught:
        check_play(text)
    assert caught.value.field == "play"
    assert check_play("a" * 64) == "a" * 64


@pytest.mark.parametrize("text", ["/film/", "/a/b.c_d~e-f/", "/" + "x" * 254 + "/", "/.hidden/", "/a.../"])
def test_a_path_prefix_is_a_path_between_slashes(text: str) -> None:
    """A path prefix has only characters that no URL has to encode."""
    assert check_path_prefix(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "film/",
        "/film",
        "//",
        "/a//b/",
        "/./",
        "/../",
        "/a/../b/",
        "/a b/",
        "/%2e/",
        "/é/",
        "/" + "x" * 255 + "/",
    ],
)
def test_an_ambiguous_path_is_refused(text: str) -> None:
    """An ambiguous path is refused, because the edge and the origin might read it as different paths."""
    with pytest.raises(InvalidInput) as caught:
        check_path_prefix(text)
    assert caught.value.field == "pathPrefix"
    assert caught.value.reason == (
        "must be a path of at most 256 characters of A-Z a-z 0-9 . _ ~ - that begins and ends with a slash, "
        "without empty and dot segments"
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], ()),
        (["uhd"], ("uhd",)),
        (["uhd", "Away", "4k", "hd.r_1-2"], ("4k", "Away", "hd.r_1-2", "uhd")),
        (["x" * 32], ("x" * 32,)),
    ],
)
def test_groups_are_sorted(given: list[str], kept: tuple[str, ...]) -> None:
    """Groups are sorted, so that the same groups are always the same text in the item and in a condition."""
    assert check_groups(given) == kept


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([""], "must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (["uhd", "x" * 33], "must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (["a,b"], "must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (["a\n"], "must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (["uhd", "uhd"], "must be at most 4, none of them twice"),
        (["a", "b", "c", "d", "e"], "must be at most 4, none of them twice"),
    ],
)
def test_invalid_groups_name_their_field(given: list[str], reason: str) -> None:
    """The error names the field of the groups and the rule."""
    with pytest.raises(InvalidInput) as caught:
        check_groups(given)
    assert (caught.value.field, caught.value.reason) == ("groups", reason)
