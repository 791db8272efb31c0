"""Building blocks for servers on loopback: a port, a start, a wait for answers, a log, a request, an end."""

import os
import socket
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import IO, Any, Final, Self

END_TIMEOUT_SECONDS: Final = 5
LOG_TAIL_LINES: Final = 20

DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""An opener that never uses a proxy, regardless of the environment."""


def free_port() -> int:
    """Return a port that is free now; another process may take it before the caller does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Return whether a server listens on that port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server(ABC):
    """A server that is stopped when its context ends, or if it does not start."""

    @abstractmethod
    def stop(self) -> object:
        """End it. Idempotent."""

    def wait(
        self,
        process: subprocess.Popen[bytes],
        is_ready: Callable[[], bool],
        timeout_seconds: float,
        error: Callable[[], Exception],
    ) -> Self:
        """Wait until the server answers; if it does not, or the wait is interrupted, stop it.

        Args:
            process: the server's process, whose end ends the wait.
            is_ready: returns whether the server answers.
            timeout_seconds: the limit of the wait.
            error: makes the exception to raise, while the server's log still exists.
        """
        with ExitStack() as failure:
            failure.callback(self.stop)
            if not starts_within(process, is_ready, timeout_seconds):
                raise error()
            failure.pop_all()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(command: Sequence[Any], log: IO[bytes], **options: Any) -> subprocess.Popen[bytes]:
    """Start a child that has no input, and whose output goes to the log."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options
    )


def read_log(log: int) -> str:
    """Read an open log without moving the position at which the server writes."""
    return os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace")


def tail(log: str) -> str:
    """Return the last lines of a log, for an error message."""
    return "\n".join(log.splitlines()[-LOG_TAIL_LINES:])


def starts_within(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], seconds: float) -> bool:
    """Wait until a server answers; return whether it did so before it ended and within the time."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if is_ready():
            return True
        time.sleep(0.05)
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a child, by force if necessary. Idempotent."""
    process.terminate()
    try:
        process.wait(END_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
