import sys

import pytest


@pytest.fixture(autouse=True)
def _command_line_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each program as make does: pytest's own arguments are not the program's."""
    monkeypatch.setattr(sys, "argv", ["make"])
