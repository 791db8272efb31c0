"""Building blocks for servers on loopback: a port, a wait until they answer, a request, an end."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Final

ENDS_WITHIN_SECONDS: Final = 5

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


def comes_up(process: subprocess.Popen[bytes], is_there: Callable[[], bool], within_seconds: float) -> bool:
    """Wait until a server answers; return whether it did so before it ended and within the time."""
    deadline = time.monotonic() + within_seconds
    while process.poll() is None and time.monotonic() < deadline:
        if is_there():
            return True
        time.sleep(0.05)
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a child, by force if necessary. Idempotent."""
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
