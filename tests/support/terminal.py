"""A terminal, for programs that print differently to one than to a pipe."""

import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

COLOUR: Final = re.compile(r"\033\[\d+m")


class Screen:
    """The output of a terminal."""

    def __init__(self, ours: BinaryIO, its: int) -> None:
        self._ours = ours
        self._its = its
        self._shown = b""

    @contextmanager
    def output(self) -> Iterator[int]:
        """Return the descriptor of a program's standard output, until the program has been started."""
        try:
            yield self._its
        finally:
            os.close(self._its)

    def wait_for(self, text: str = "") -> str:
        """Return all output once this text is shown, or once the program has ended."""
        while not (text and text in self._text) and (more := self._read()):
            self._shown += more
        return self._text

    @property
    def _text(self) -> str:
        return self._shown.decode().replace("\r\n", "\n")

    def _read(self) -> bytes:
        """Read the available output; nothing when the program has ended, which Linux reports as an error."""
        try:
            return self._ours.read(65536)
        except OSError:
            return b""


@contextmanager
def terminal() -> Iterator[Screen]:
    """Open a terminal for one program."""
    ours, its = pty.openpty()
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 - a descriptor has no path
        yield Screen(screen, its)
