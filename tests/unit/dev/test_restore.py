"""The calls that `make restore` refuses."""

import pytest

from dev.operate import restore


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, 2),
        ({"TABLE_NAME": "t", "AT": "yesterday"}, 1),
        ({"TABLE_NAME": "t", "AT": "2026-01-31T18:00:00"}, 1),
    ],
)
def test_a_wrong_call_is_an_error_of_one_line(
    variables: dict[str, str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong call is an error of one line, before any call to AWS."""
    for name in ("TABLE_NAME", "AT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert restore.main() == code
    assert len(capsys.readouterr().err.splitlines()) == 1
