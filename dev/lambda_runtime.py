"""Runs the built zip as Lambda does: AWS's runtime client for Python beneath AWS's runtime emulator.

The function imports from the unzipped package, the runtime client and the standard library, and from nothing
else of this machine: what the package lacks is missing here too.

The emulator is a binary that the AWS SAM CLI's wheel carries, fetched once into .cache/.
"""

import functools
import importlib.metadata
import json
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from dev.cache import CannotFetch, check_sha256, filled
from dev.emulator import REGION
from dev.ports import free_port

WHEEL: Final = "aws-sam-cli==1.170.0"
WHEEL_SHA256: Final = "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
BINARIES: Final = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
FETCHED_WITHIN_SECONDS: Final = 300

RUNTIME_CLIENT: Final = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The runtime client's distribution and those that it needs."""
BOOT: Final = """
import runpy, sys
sys.path[:0] = sys.argv[1:3]
sys.argv = sys.argv[2:]
runpy.run_module("awslambdaric", run_name="__main__")
"""

STARTS_WITHIN_SECONDS: Final = 10
STOPS_WITHIN_SECONDS: Final = 5
TIMEOUT_SECONDS: Final = 5
"""What the function is given for one event, as in terraform/."""


class LambdaRuntimeError(Exception):
    """The emulator did not come up, or lost the function; the message holds its log."""


class LambdaRuntime:
    """One execution environment of one function, as a context manager. It serves one event at a time.

    Args:
        package: the zip.
        handler: the module and the name in it, as in `entrypoints.stream_start.handler`.
        environment: the function's variables, added to those that Lambda gives it. It sees none of ours.

    Raises:
        CannotFetch: the emulator cannot be had.
        LambdaRuntimeError: it did not come up.
    """

    def __init__(self, package: Path, handler: str, environment: Mapping[str, str]) -> None:
        binary = _binary()
        self._directory = tempfile.TemporaryDirectory(prefix="stream-limiter-lambda-")
        directory = Path(self._directory.name)
        task, client = directory / "task", directory / "client"
        with zipfile.ZipFile(package) as archive:
            archive.extractall(task)
        client.mkdir()
        _link_runtime_client(client)
        self._address = ("127.0.0.1", free_port())
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(binary, "--log-level=error"),
                    f"--runtime-interface-emulator-address=127.0.0.1:{self._address[1]}",
                    f"--runtime-api-address=127.0.0.1:{free_port()}",
                    *(sys.executable, "-I", "-S", "-c", BOOT, task, client, handler),
                ],
                cwd=task,
                env={
                    "AWS_LAMBDA_FUNCTION_NAME": handler.split(".")[-2],
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS),
                    "AWS_REGION": REGION,
                    "AWS_DEFAULT_REGION": REGION,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Hand the function an event, and give what it returned, or `errorType` and `errorMessage`.

        Raises:
            LambdaRuntimeError: it could not be imported, or gave no answer.
        """
        url = "http://{}:{}/2015-03-31/functions/function/invocations".format(*self._address)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(
                url, json.dumps(event).encode(), STARTS_WITHIN_SECONDS + TIMEOUT_SECONDS
            ) as answer:
                returned: dict[str, Any] = json.load(answer)
        except (OSError, ValueError) as failure:
            if isinstance(failure, urllib.error.HTTPError):
                failure.close()  # it is an open response too
            raise LambdaRuntimeError(f"The function gave no answer:\n{self._log_text()}") from failure
        return returned

    def stop(self) -> None:
        """End the emulator, which ends the function, and remove its files. Twice is harmless."""
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(self._address) == 0:
                    return
            time.sleep(0.02)
        raise LambdaRuntimeError(f"The Lambda runtime emulator did not come up:\n{self._log_text()}")

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")


@functools.cache
def unavailable() -> str | None:
    """Tell in one line why the emulator cannot run here, or None when it can. Fetches it if need be."""
    try:
        _binary()
    except CannotFetch as reason:
        return f"Lambda runtime emulator: {reason}"
    return None


def _link_runtime_client(folder: Path) -> None:
    """Lay the runtime client's modules into a folder of their own, away from all else that is installed."""
    for name in RUNTIME_CLIENT:
        distribution = importlib.metadata.distribution(name)
        for module in {file.parts[0] for file in distribution.files or ()}:
            if not module.endswith(".dist-info"):
                (folder / module).symlink_to(Path(str(distribution.locate_file(module))))


def _binary() -> Path:
    if platform.system() != "Linux" or platform.machine() not in BINARIES:
        raise CannotFetch("there is none for this platform; it runs on Linux.")
    return filled(f"lambda-runtime/{WHEEL}", _fetch) / BINARIES[platform.machine()]


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"),
                    *("--no-deps", "--only-binary=:all:", f"--dest={scratch}", WHEEL),
                ],
                check=True,
                capture_output=True,
                timeout=FETCHED_WITHIN_SECONDS,
            )
        except subprocess.SubprocessError as failure:
            raise CannotFetch(f"pip cannot fetch {WHEEL}.") from failure
        (wheel,) = Path(scratch).glob("*.whl")
        check_sha256(wheel, WHEEL_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            for name in BINARIES.values():
                binary = folder / name
                binary.write_bytes(archive.read(f"samcli/local/rapid/{name}"))
                binary.chmod(0o755)
