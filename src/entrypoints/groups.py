"""The groups that streams can be in, in the form of settings and tokens: one line of text."""

import re
from typing import Final

from domain.errors import InvalidInput
from domain.names import GROUP_PATTERN, check_path_prefix
from domain.streams import CEILING

MAX_GROUPS_TOTAL: Final = 16
MAX_PATHS: Final = 26
"""The most paths that fit into the edge's configuration of one kilobyte, beside three keys."""

_NAME: Final = re.compile(GROUP_PATTERN)
_LIMIT: Final = re.compile(r"0|[1-9][0-9]?")


def is_limit(text: str) -> bool:
    """Return whether a text is a limit from 0 to 20."""
    return _LIMIT.fullmatch(text) is not None and int(text) <= CEILING


def parse_limits(text: str) -> dict[str, int]:
    """Return the limits of `name=number[,…]`, such as `uhd=2,away=1`.

    Raises:
        ValueError: the text has another form. The message does not quote it.
    """
    limits, parts = {}, _parts(text)
    for number, part in enumerate(parts, start=1):
        name, _, limit = part.partition("=")
        if not _NAME.fullmatch(name) or not is_limit(limit):
            raise ValueError(
                f"entry {number} is not of the form name=limit, with a limit from 0 to {CEILING}"
            )
        limits[name] = int(limit)
    if len(limits) < len(parts):
        raise ValueError("a group has two limits")
    return limits


def parse_labels(text: str) -> tuple[str, ...]:
    """Return the names of `name[,…]`.

    Raises:
        ValueError: the text has another form.
    """
    names = tuple(_parts(text))
    for number, name in enumerate(names, start=1):
        if not _NAME.fullmatch(name):
            raise ValueError(f"name {number} is not 1 to 32 characters of A-Z a-z 0-9 . _ -")
    if len(set(names)) < len(names):
        raise ValueError("a group is named twice")
    return names


def parse_paths(text: str) -> dict[str, str]:
    """Return the group that each path prefix of `/prefix/=name[,…]` is for.

    Raises:
        ValueError: the text has another form, or a prefix is not valid in a playback token.
    """
    paths, parts = {}, _parts(text)
    for number, part in enumerate(parts, start=1):
        prefix, _, name = part.partition("=")
        if not _NAME.fullmatch(name):
            raise ValueError(f"entry {number} is not of the form /prefix/=name")
        try:
            paths[check_path_prefix(prefix)] = name
        except InvalidInput as error:
            raise ValueError(f"the path of entry {number} {error.reason}") from None
    if len(paths) < len(parts):
        raise ValueError("a path prefix is named twice")
    return paths


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []
