"""`make run` in its own process, for tests and proofs."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from types import MappingProxyType

from dev import ROOT
from dev.tools.servers import Server, read_log, start

READY = "ready "
READY_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 15


class LocalService(Server):
    """The service as `make run` serves it, on a free port.

    Args:
        settings: environment variables of the service's settings.
    """

    def __init__(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._printed = ""
        self.began = time.monotonic()
        self.process = start(
            [sys.executable, "-m", "dev.local.serve"],
            self._log,
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
                "PORT": "0",
                **settings,
            },
        )
        self.wait(
            self.process,
            lambda: any(line.startswith(READY) for line in self.lines),
            READY_TIMEOUT_SECONDS,
            lambda: AssertionError("\n".join(self.lines)),
        )

    @property
    def lines(self) -> list[str]:
        """The complete lines that it has printed, until it was stopped."""
        *complete, _ = self._read().split("\n")
        return complete

    @property
    def url(self) -> str:
        """The URL at which the service says it serves."""
        return next(line.removeprefix(READY) for line in self.lines if line.startswith(READY))

    @property
    def port(self) -> int:
        """The port in that URL."""
        return int(self.url.rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as Ctrl-C (SIGINT) or a supervisor does, and return the exit code. Idempotent."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_TIMEOUT_SECONDS)
        finally:
            self.process.kill()  # harmless if it has ended
            self._read()
            self._log.close()

    def _read(self) -> str:
        if not self._log.closed:
            self._printed = read_log(self._log.fileno())
        return self._printed
