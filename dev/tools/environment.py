"""Make a virtual environment from a lock file, and show the progress: the first one takes a minute.

The Makefile runs this before any environment exists, so it uses only the standard library.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SECONDS_PER_LINE: Final = 3
_PINNED: Final = re.compile(r"^[A-Za-z0-9][^ ]*==", re.MULTILINE)
_FOUND: Final = ("Collecting ", "Processing ", "Requirement already satisfied")
"""The beginnings of pip's first line about each package."""


def main(folder: str, lock: str) -> int:
    """Make the environment; if pip fails, show all of its output."""
    pinned = len(_PINNED.findall(Path(lock).read_text(encoding="utf-8")))
    print(f"{folder}: made of {pinned} packages, which {lock} names …", flush=True)
    began = time.monotonic()
    if code := subprocess.run([sys.executable, "-m", "venv", folder], check=False).returncode:
        return code
    install = ["install", "--disable-pip-version-check", "--progress-bar=off", "--require-hashes", "-r", lock]
    output: list[str] = []
    with subprocess.Popen(
        [f"{folder}/bin/python", "-u", "-m", "pip", *install],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        for line in progress(_recorded(pip.stdout or (), output), pinned):
            print(f"{folder}: {line} …", flush=True)
    if pip.returncode:
        print("".join(output), file=sys.stderr)
    else:
        print(f"{folder}: ready after {time.monotonic() - began:.0f} s", flush=True)
    return pip.returncode


def progress(lines: Iterable[str], pinned: int) -> Iterator[str]:
    """Yield the progress from time to time, counted in pip's lines: the number of pinned packages it has."""
    found, is_installing, shown_at = 0, False, time.monotonic()
    for line in lines:
        if line.startswith("Ignoring "):  # a package for other platforms or Pythons
            pinned -= 1
        elif line.startswith(_FOUND):
            found += 1
        if line.startswith("Installing collected"):
            is_installing = True
            yield f"installing {found} packages"
        elif not is_installing and time.monotonic() - shown_at >= SECONDS_PER_LINE:
            shown_at = time.monotonic()
            yield f"{found} of {pinned} packages"


def _recorded(lines: Iterable[str], output: list[str]) -> Iterator[str]:
    for line in lines:
        output.append(line)
        yield line


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
