"""`make run` in its own process, for tests and proofs."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from dev import ROOT

READY = "ready "
READY_WITHIN_SECONDS = 30
STOPS_WITHIN_SECONDS = 15


@dataclass
class LocalService:
    """The service as `make run` serves it, on a free port.

    Attributes:
        settings: environment variables of the service's settings.
    """

    settings: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list, init=False)
    _settled: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dev.local.serve"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
                "PORT": "0",
                **self.settings,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._settled.wait(READY_WITHIN_SECONDS)
        if not any(line.startswith(READY) for line in self.lines):
            self.stop()
            raise AssertionError("\n".join(self.lines))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

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
            return self.process.wait(STOPS_WITHIN_SECONDS)
        finally:
            self.process.kill()  # harmless if it has ended
            self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout  # noqa: S101 - the process was started with a pipe
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))
                if line.startswith(READY):
                    self._settled.set()
        self._settled.set()  # it has ended: nothing more to wait for
