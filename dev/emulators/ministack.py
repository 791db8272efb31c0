"""The embedded AWS emulator: ministack, LocalStack-compatible, in its own environment and process."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dev import ROOT
from dev.tools.servers import DIRECT, Server, free_port, is_listening, start, tail

PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
START_TIMEOUT_SECONDS = 90
STOP_TIMEOUT_SECONDS = 15

REGION = "us-east-1"

# As `-m ministack`, but with a connection for each request: over kept ones its server seems to lose an answer
# now and then. Terraform then repeats a creation that has taken effect, and fails.
PROGRAM = (
    "from hypercorn.config import Config; Config.keep_alive_max_requests = 1; "
    "from ministack.app import main; main()"
)


class EmulatorError(Exception):
    """The emulator cannot be started; the message is meant for the person who ran the command."""


@dataclass(frozen=True)
class Emulator(Server):
    """A running emulator; it outlives the process that started it unless it is stopped.

    `pid`, `port` and `directory` identify it: from a record of them, another process can stop it.
    """

    pid: int
    port: int
    directory: Path
    """The folder of everything that the emulator writes, deleted when it stops."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)
    """The process, if this one started it."""

    @property
    def endpoint_url(self) -> str:
        """The URL for AWS clients."""
        return f"http://127.0.0.1:{self.port}"

    def is_running(self) -> bool:
        """Return whether a process of this emulator is running: its pid may have been reused."""
        return bool(self._processes())

    def stop(self) -> None:
        """End it and all that it spawned, and remove its files. Idempotent."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):  # it may have ended meanwhile
                    if pid == self.pid:
                        os.killpg(pid, how)
                    elif how is signal.SIGKILL:  # it left the process group, and its parent no longer ends it
                        os.kill(pid, how)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.05)
        if self.process:
            self.process.wait(STOP_TIMEOUT_SECONDS)  # an ended child is a zombie until then
        shutil.rmtree(self.directory, ignore_errors=True)

    def _processes(self) -> list[int]:
        """Return the pids of all processes with the marker on their command line."""
        if self.process:
            self.process.poll()  # a child that has ended is listed until its parent polls it
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,args="], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        return [int(line.split()[0]) for line in listed if marker(self.directory) in line]


def environment_for(endpoint_url: str) -> dict[str, str]:
    """Return the variables that direct AWS SDKs and Terraform to that emulator, as root."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        # The emulator takes the key "test" as root's, with any secret; it checks keys that it issued.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def emulated_environment(endpoint_url: str) -> dict[str, str]:
    """Return this process's environment with the emulator in place of every AWS setting."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    return {**others, **environment_for(endpoint_url)}


def emulated_api_url(endpoint_url: str, api_url: str) -> str:
    """Return an API's URL on the emulator.

    The emulator's own value, `<id>.execute-api.localhost`, resolves in curl but not in most clients.
    """
    api_id = (urlsplit(api_url).hostname or "").partition(".")[0]
    return f"{endpoint_url}/_aws/execute-api/{api_id}"


def emulated_function_url(endpoint_url: str, function_url: str) -> str:
    """Return a function URL's address on the emulator, which serves it under a path of its own."""
    url_id = (urlsplit(function_url).hostname or "").partition(".")[0]
    return f"{endpoint_url}/_aws/lambda-url/{url_id}/"


def start_emulator(
    port: int | None = None,
    *,
    enforce_iam: bool = False,
    trail: bool = False,
    log: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Emulator:
    """Start an emulator on loopback and wait until it answers.

    Args:
        port: its port; a free one by default.
        enforce_iam: whether policies are enforced; if not, every call is allowed.
        trail: whether CloudTrail records every call.
        log: the file to append its output to; by default one in its folder.
        variables: added to the environments of the emulator and its functions.

    Raises:
        EmulatorError: it is not installed, or did not start.
    """
    if not PYTHON.exists():
        raise EmulatorError("The emulator is not installed: run `make install`.")
    port = port or free_port()
    if is_listening(port):
        raise EmulatorError(f"The emulator cannot use port {port}: another program listens there.")
    directory = Path(tempfile.mkdtemp(prefix="stream-limiter-emulator-"))
    environment = _own_environment(port, directory, enforce_iam=enforce_iam, trail=trail)
    return launch(
        [str(PYTHON), "-c", PROGRAM], port, directory, {**environment, **(variables or {})}, log=log
    )


def launch(
    command: Sequence[str],
    port: int,
    directory: Path,
    environment: Mapping[str, str],
    *,
    log: Path | None = None,
) -> Emulator:
    """Start a LocalStack-compatible Python server in its own environment, and wait until it answers.

    Args:
        command: the interpreter and its arguments.
        port: the server's port on loopback.
        directory: the server's own, deleted when it stops.
        environment: the server's whole environment.
        log: the file to append its output to; by default one in the directory.

    Raises:
        EmulatorError: it did not start.
    """
    log = log or directory / "emulator.log"
    with log.open("ab") as output:
        process = start(
            [command[0], "-X", marker(directory), *command[1:]],
            output,
            cwd=directory,
            env=environment,
            start_new_session=True,  # its workers share its process group, and end with it
        )
    emulator = Emulator(process.pid, port, directory, process)

    def error() -> EmulatorError:
        last_lines = tail(log.read_text(errors="replace"))
        return EmulatorError(f"The emulator did not start on port {port}. The end of its log:\n{last_lines}")

    return emulator.wait(process, lambda: answers(emulator.endpoint_url), START_TIMEOUT_SECONDS, error)


def answers(endpoint_url: str) -> bool:
    """Return whether an emulator answers there, regardless of which process started it."""
    try:
        with DIRECT.open(f"{endpoint_url}/_localstack/health", timeout=2) as health:
            return bool(health.status == 200)  # noqa: PLR2004 - a status is clearer than a name for it
    except (urllib.error.URLError, OSError):
        return False


def _own_environment(port: int, directory: Path, *, enforce_iam: bool, trail: bool) -> dict[str, str]:
    """Return an environment without the caller's AWS credentials, proxies and import path."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AUTH": str(enforce_iam).lower(),
        "CLOUDTRAIL_RECORDING": str(int(trail)),
        # Off, as this project does not use them: listeners of other services, and Docker.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{directory}/no-docker",
        "PYTHONUNBUFFERED": "1",
    }


def marker(directory: Path) -> str:
    """Return the option that marks an emulator's processes (Python ignores an unknown -X option)."""
    return f"emulator={directory}"
