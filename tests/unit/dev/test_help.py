"""`make` and `make help-all`."""

import re
from typing import Final

from dev import ROOT
from tests.support.commands import outside_make, succeed

COLUMNS: Final = 80
LINES: Final = 24
TARGET: Final = re.compile(r"^  ([a-z][a-z0-9-]*) +\S", re.MULTILINE)
OLD_NAMES: Final = {"logs-start", "logs-end", "logs-heartbeat", "logs-list"}


def make(*arguments: str) -> str:
    """Return what make prints."""
    return succeed("make", *arguments, env=outside_make())


def test_help_fits_a_screen() -> None:
    """`make` prints ten targets with their variables and the way to the others, on a usual terminal."""
    shown = make()
    assert shown == make("help")
    assert len(TARGET.findall(shown)) == 10
    assert "make help-all" in shown
    lines = shown.splitlines()
    assert len(lines) < LINES  # the prompt has one
    assert [line for line in lines if len(line) > COLUMNS] == []


def test_help_all_has_every_target() -> None:
    """`make help-all` has every target for people, except for the old names of `make logs`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: ([a-z0-9-]+)$", makefile, re.MULTILINE))
    shown = TARGET.findall(make("help-all"))
    assert set(shown) == phony
    assert len(shown) == len(phony) > 30
    assert set(TARGET.findall(make("help"))) < phony


def test_the_old_names_run_the_same_program() -> None:
    """The old names run the same program as `make logs FN=…`."""
    for name in OLD_NAMES:
        new = make("--dry-run", "logs", f"FN={name.removeprefix('logs-')}")
        assert make("--dry-run", name) == new
