"""DynamoDB Local, AWS's own emulator of DynamoDB: unlike moto it keeps conditions true under races.

The jar comes from the npm package in which AWS Amplify ships it; it is fetched once into .cache/.
"""

import contextlib
import functools
import platform
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

from dev.tools.cache import CannotFetch, cached_folder, npm_package
from dev.tools.servers import DIRECT, Server, end, free_port, read_log, start, tail

NPM_PACKAGE = "amplify-dynamodb-simulator@2.9.30"
TARBALL_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"

START_TIMEOUT_SECONDS = 30
MAX_STARTS = 3


class DynamoDBLocalError(Exception):
    """DynamoDB Local did not start; the message contains the end of its log."""


class _PortTaken(DynamoDBLocalError):
    """Another process took the port between the check and the bind."""


@dataclass(frozen=True)
class DynamoDBLocal(Server):
    """A running DynamoDB Local: one database in memory, whatever the client's key and region.

    It listens on every address (no option changes that), so use it only for test data.
    """

    endpoint_url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the process, and its data with it. Idempotent."""
        end(self.process)


@functools.cache
def unavailable() -> str | None:
    """Return the reason why DynamoDB Local cannot run here, or None. Fetch it if necessary."""
    try:
        java()
        installed()
    except CannotFetch as reason:
        return f"DynamoDB Local: {reason}"
    return None


def start_dynamodb_local() -> DynamoDBLocal:
    """Start DynamoDB Local on a free port and wait until it answers.

    Raises:
        CannotFetch: Java is not installed, or the jar cannot be downloaded.
        DynamoDBLocalError: it did not start.
    """
    for _ in range(MAX_STARTS - 1):
        with contextlib.suppress(_PortTaken):
            return _start_on(free_port())
    return _start_on(free_port())


def _start_on(port: int) -> DynamoDBLocal:
    folder = installed()
    # It answers only requests from this origin, with a header that names it: another server on the same port
    # is detected.
    origin = f"http://{uuid.uuid4().hex}"
    with tempfile.TemporaryFile() as log:
        process = start(
            [
                *(java(), "-Xmx256m", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"),
                *("-inMemory", "-sharedDb", "-disableTelemetry", "-cors", origin, "-port", str(port)),
            ],
            log,
            cwd=folder,
        )
        return _wait_for(DynamoDBLocal(f"http://127.0.0.1:{port}", process), origin, log.fileno())


def _wait_for(local: DynamoDBLocal, origin: str, log: int) -> DynamoDBLocal:
    def answers() -> bool:
        if "Failed to bind" in read_log(log):  # it would hang forever
            raise _PortTaken(f"{local.endpoint_url} is taken.")
        return _answers(local.endpoint_url, origin)

    def error() -> DynamoDBLocalError:
        return DynamoDBLocalError(f"DynamoDB Local did not start. The end of its log:\n{tail(read_log(log))}")

    return local.wait(local.process, answers, START_TIMEOUT_SECONDS, error)


def _answers(endpoint_url: str, origin: str) -> bool:
    try:
        DIRECT.open(urllib.request.Request(endpoint_url, headers={"Origin": origin}), timeout=2).close()  # noqa: S310 - our own http URL
    except urllib.error.HTTPError as refusal:  # 400: the request is not signed
        refusal.close()
        return refusal.headers.get("Access-Control-Allow-Origin") == origin
    except OSError:
        pass
    return False


def java() -> str:
    """Return the path of this machine's Java.

    Raises:
        CannotFetch: Java is not installed.
    """
    found = shutil.which("java")
    # macOS has a `java` that only prints where to get one, so run it.
    if not found or subprocess.run([found, "-version"], check=False, capture_output=True).returncode:
        raise CannotFetch("Java is not installed.")
    return found


def installed() -> Path:
    """Return the folder of the jar and its libraries; fetch them the first time.

    Raises:
        CannotFetch: they cannot be downloaded.
    """
    return cached_folder(f"dynamodb-local/{NPM_PACKAGE}", _fetch)


def _fetch(folder: Path) -> None:
    """Unpack the jars, and this platform's native library, which they load by name."""
    native = ".dylib" if platform.system() == "Darwin" else ".so"
    (folder / "DynamoDBLocal_lib").mkdir()
    with npm_package(NPM_PACKAGE, TARBALL_SHA256) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content and member.name.endswith((".jar", native)):
                path = folder / Path(member.name).relative_to("package/emulator")
                path.write_bytes(content.read())
