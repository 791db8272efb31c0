"""The built zip, run as Lambda runs it: AWS's runtime client for Python on AWS's runtime emulator.

The function can import only the unzipped package, the runtime client and the standard library: a module that
the package lacks is missing here too.

The emulator is a binary that the AWS SAM CLI's wheel carries, which is fetched once into .cache/.
"""

import functools
import importlib.metadata
import json
import platform
import sys
import tempfile
import urllib.error
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dev.emulators.ministack import REGION
from dev.tools.cache import CannotFetch, cached_folder, wheel
from dev.tools.servers import DIRECT, Server, end, free_port, is_listening, start

WHEEL: Final = "aws-sam-cli==1.170.0"
WHEEL_SHA256: Final = "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
BINARIES: Final = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}

RUNTIME_CLIENT: Final = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The runtime client's distribution and its dependencies."""
BOOT: Final = """
import runpy, sys
sys.path[:0] = sys.argv[1:3]
sys.argv = sys.argv[2:]
runpy.run_module("awslambdaric", run_name="__main__")
"""

START_TIMEOUT_SECONDS: Final = 10
TIMEOUT_SECONDS: Final = 5
"""The limits of one event, as in terraform/."""


class LambdaRuntimeError(Exception):
    """The emulator did not start, or lost the function; the message contains its log."""


class LambdaRuntime(Server):
    """One execution environment of one function, as a context manager. It serves one event at a time.

    Args:
        package: the zip.
        handler: the module and the name in it, as in `entrypoints.stream_start.handler`.
        environment: the function's variables in addition to Lambda's. This process's variables are hidden.

    Raises:
        CannotFetch: the emulator cannot be downloaded.
        LambdaRuntimeError: it did not start.
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
        self._port = free_port()
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = start(
                [
                    *(binary, "--log-level=error"),
                    f"--runtime-interface-emulator-address=127.0.0.1:{self._port}",
                    f"--runtime-api-address=127.0.0.1:{free_port()}",
                    *(sys.executable, "-I", "-S", "-c", BOOT, task, client, handler),
                ],
                log,
                cwd=task,
                env={
                    "AWS_LAMBDA_FUNCTION_NAME": handler.split(".")[-2],
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS),
                    "AWS_REGION": REGION,
                    "AWS_DEFAULT_REGION": REGION,
                    **environment,
                },
            )
        self.wait(self._process, lambda: is_listening(self._port), START_TIMEOUT_SECONDS, self._error)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Send the function an event, and return its result, or `errorType` and `errorMessage`.

        Raises:
            LambdaRuntimeError: the function could not be imported, or did not answer.
        """
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        try:
            with DIRECT.open(
                url, json.dumps(event).encode(), START_TIMEOUT_SECONDS + TIMEOUT_SECONDS
            ) as answer:
                returned: dict[str, Any] = json.load(answer)
        except (OSError, ValueError) as failure:
            if isinstance(failure, urllib.error.HTTPError):
                failure.close()  # it is an open response as well
            raise LambdaRuntimeError(f"The function did not answer:\n{self._log_text()}") from failure
        return returned

    def stop(self) -> None:
        """End the emulator, which ends the function, and remove its files. Idempotent."""
        end(self._process)
        self._directory.cleanup()

    def _error(self) -> LambdaRuntimeError:
        return LambdaRuntimeError(f"The Lambda runtime emulator did not start:\n{self._log_text()}")

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")


@functools.cache
def unavailable() -> str | None:
    """Return the reason why the emulator cannot run here, or None. Fetch it if necessary."""
    try:
        _binary()
    except CannotFetch as reason:
        return f"Lambda runtime emulator: {reason}"
    return None


def _link_runtime_client(folder: Path) -> None:
    """Link the runtime client's modules into a separate folder, away from all other packages."""
    for name in RUNTIME_CLIENT:
        distribution = importlib.metadata.distribution(name)
        for module in {file.parts[0] for file in distribution.files or ()}:
            if not module.endswith(".dist-info"):
                (folder / module).symlink_to(Path(str(distribution.locate_file(module))))


def _binary() -> Path:
    if platform.system() != "Linux" or platform.machine() not in BINARIES:
        raise CannotFetch("it is available for Linux only.")
    return cached_folder(f"lambda-runtime/{WHEEL}", _fetch) / BINARIES[platform.machine()]


def _fetch(folder: Path) -> None:
    with wheel(WHEEL, WHEEL_SHA256) as archive:
        for name in BINARIES.values():
            binary = folder / name
            binary.write_bytes(archive.read(f"samcli/local/rapid/{name}"))
            binary.chmod(0o755)
