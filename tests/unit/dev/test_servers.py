import sys
from pathlib import Path

import pytest

from dev.tools.servers import Server, end, start, tail

PROGRAM = "import time; print('the reason', flush=True); time.sleep(60)"


class Silent(Server):
    """A server that prints a line, and answers nothing."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = start([sys.executable, "-c", PROGRAM], log, cwd=folder)

    def stop(self) -> None:
        """End the process."""
        end(self.process)

    def has_printed(self) -> bool:
        """Return whether the log has the line."""
        return "the reason" in self.log.read_text()

    def error(self) -> Exception:
        """Return an error with the end of the log."""
        return ChildProcessError(tail(self.log.read_text()))


def test_a_server_that_answers_runs_until_its_context_ends(tmp_path: Path) -> None:
    """A started server is returned while its process runs; the end of the context ends the process."""
    silent = Silent(tmp_path)

    with silent.wait(silent.process, silent.has_printed, 30, silent.error) as server:
        assert server.process.poll() is None

    assert silent.process.poll() is not None


def test_a_server_that_does_not_answer_is_stopped(tmp_path: Path) -> None:
    """The error contains the end of the log, and no process is left."""
    silent = Silent(tmp_path)
    silent.wait(silent.process, silent.has_printed, 30, silent.error)

    with pytest.raises(ChildProcessError, match=r"\Athe reason\Z"):
        silent.wait(silent.process, lambda: False, 0.1, silent.error)

    assert silent.process.poll() is not None


def test_a_server_whose_start_is_interrupted_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C during the wait leaves no process."""
    silent = Silent(tmp_path)

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        silent.wait(silent.process, interrupted, 30, silent.error)

    assert silent.process.poll() is not None


def test_a_server_that_ends_is_an_error_at_once(tmp_path: Path) -> None:
    """A server that has ended is an error at once."""
    silent = Silent(tmp_path)
    end(silent.process)

    with pytest.raises(ChildProcessError):
        silent.wait(silent.process, lambda: True, 600, silent.error)
