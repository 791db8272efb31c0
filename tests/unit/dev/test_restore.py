"""The calls that `make restore` refuses."""

import pytest

from dev.operate import restore


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        ({}, 2, "Which table? make restore TABLE_NAME=… AT=2026-01-31T18:00:00Z"),
        *(
            (
                {"TABLE_NAME": "t", "AT": at},
                1,
                f"AT must be a moment with its time zone, as in 2026-01-31T18:00:00Z, not '{at}'.",
            )
            for at in ("yesterday", "2026-01-31T18:00:00")
        ),
    ],
)
def test_a_wrong_call_is_an_error_of_one_line(
    variables: dict[str, str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wrong call is an error of one line that names the variable, before any call to AWS."""
    for name in ("TABLE_NAME", "AT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert restore.main() == code
    assert capsys.readouterr().err == f"{message}\n"
