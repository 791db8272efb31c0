"""The rules for the texts that callers choose, such as user ids, stream ids and device labels.

Each function returns the text unchanged, never normalised, or raises `InvalidInput`.
"""

import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

MAX_USER_ID_BYTES: Final = 128
MAX_DEVICE_BYTES: Final = 64
STREAM_ID_PATTERN: Final = r"[A-Za-z0-9._:-]{1,64}"
GROUP_PATTERN: Final = r"[A-Za-z0-9._-]{1,32}"
MAX_GROUPS: Final = 4
"""The most groups that one stream can be in: each adds to the size of the state."""

MAX_PATH_PREFIX: Final = 256
PATH_PREFIX_PATTERN: Final = r"/([A-Za-z0-9._~-]+/)+"
IDEMPOTENCY_KEY_PATTERN: Final = r"[\x21-\x7e]{1,255}"
_STREAM_ID: Final = re.compile(STREAM_ID_PATTERN)
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc, all of it


def check_user_id(text: str) -> str:
    """Return a user id: 1 to 128 UTF-8 bytes, not blank, no control characters."""
    return _check_text(text, "userId", MAX_USER_ID_BYTES)


def check_device(text: str) -> str:
    """Return a label for a screen ("living room"): 1 to 64 UTF-8 bytes, not blank, no control characters."""
    return _check_text(text, "device", MAX_DEVICE_BYTES)


def check_stream_id(text: str) -> str:
    """Return a stream's name, which its player chose: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`."""
    if not _STREAM_ID.fullmatch(text):
        raise InvalidInput("streamId", "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
    return text


def check_play(text: str) -> str:
    """Return the nonce of a page load: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`."""
    if not _STREAM_ID.fullmatch(text):
        raise InvalidInput("play", "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
    return text


def check_groups(names: Sequence[str]) -> tuple[str, ...]:
    """Return up to 4 distinct names of groups in alphabetical order, each 1 to 32 of `A-Z a-z 0-9 . _ -`."""
    if not all(re.fullmatch(GROUP_PATTERN, name) for name in names):
        raise InvalidInput("groups", "must each be 1 to 32 characters of A-Z a-z 0-9 . _ -")
    if len(names) > MAX_GROUPS or len(set(names)) < len(names):
        raise InvalidInput("groups", f"must be at most {MAX_GROUPS}, none of them twice")
    return tuple(sorted(names))


def check_path_prefix(text: str) -> str:
    """Return a path between two slashes, of at most 256 characters that no URL has to encode."""
    if (
        len(text) > MAX_PATH_PREFIX
        or not re.fullmatch(PATH_PREFIX_PATTERN, text)
        or {".", ".."} & set(text.split("/"))
    ):
        raise InvalidInput(
            "pathPrefix",
            f"must be a path of at most {MAX_PATH_PREFIX} characters of A-Z a-z 0-9 . _ ~ - that begins and "
            "ends with a slash, without empty and dot segments",
        )
    return text


def check_idempotency_key(text: str) -> str:
    """Return the key by which a player repeats an anonymous call: 1 to 255 printable ASCII characters."""
    if not re.fullmatch(IDEMPOTENCY_KEY_PATTERN, text):
        raise InvalidInput("Idempotency-Key", "must be 1 to 255 printable ASCII characters without spaces")
    return text


def _check_text(text: str, field: str, max_bytes: int) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8 encoding
        raise InvalidInput(field, "must be valid Unicode text") from None
    if not text.strip():
        raise InvalidInput(field, "must not be blank")
    if size > max_bytes:
        raise InvalidInput(field, f"must be at most {max_bytes} bytes in UTF-8")
    if _CONTROL_CHARACTER.search(text):
        raise InvalidInput(field, "must not contain control characters")
    return text
