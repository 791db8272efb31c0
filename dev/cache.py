"""Files fetched once, into .cache/: each of its folders is filled wholly or not at all."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev import ROOT

CACHE = ROOT / ".cache"


class CannotFetch(Exception):
    """Something that the cache should hold cannot be had; the message is one line, meant for people."""


def filled(name: str, fill: Callable[[Path], None]) -> Path:
    """Give the cache's folder of that name; the first time, `fill` is called with an empty one to fill."""
    folder = CACHE / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        fill(fresh)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster, and its folder is as good
                raise
    return folder


def check_sha256(file: Path, expected: str) -> None:
    """Refuse a download that is not, byte for byte, the one that was pinned.

    Raises:
        CannotFetch: it is another one.
    """
    if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
        raise CannotFetch(f"{file.name} is not the file that was pinned: its sha256 differs.")
