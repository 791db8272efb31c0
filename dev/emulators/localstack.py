"""LocalStack itself, from PyPI, in its own environment and process.

Version 4.9.2 needs neither Docker nor a token for DynamoDB, SSM and KMS, which are all that is used here. Its
DynamoDB is the same AWS jar as in `dev.emulators.dynamodb_local`, behind LocalStack's gateway.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from dev import ROOT
from dev.emulators import dynamodb_local
from dev.emulators.ministack import Emulator, EmulatorError, launch, marker
from dev.tools.cache import CannotFetch
from dev.tools.servers import free_port

PYTHON: Final = ROOT / ".venv-localstack" / "bin" / "python"

_JAVA: Final = """#!/bin/sh
# Runs the machine's Java under the mark of its LocalStack, without the agent that LocalStack would download.
for argument do
  shift
  case $argument in -javaagent:*) ;; *) set -- "$@" "$argument" ;; esac
done
exec {java} {mark} "$@"
"""


def unavailable() -> str | None:
    """Return the reason why LocalStack cannot run here, or None."""
    if not PYTHON.exists():
        return "LocalStack is not installed: run `make test-localstack`, which installs it."
    return dynamodb_local.unavailable()


def start_localstack() -> Emulator:
    """Start LocalStack on a free port of loopback and wait until it answers.

    The gateway listens there only; its DynamoDB, which starts with the first call, listens on every address,
    like that of `dev.emulators.dynamodb_local`: use it only for test data.

    Raises:
        CannotFetch: Java is not installed, or the jar cannot be downloaded.
        EmulatorError: LocalStack is not installed, or did not start.
    """
    if not PYTHON.exists():
        raise EmulatorError("LocalStack is not installed: run `make test-localstack`.")
    java, jar = dynamodb_local.java(), dynamodb_local.installed()
    directory = Path(tempfile.mkdtemp(prefix="stream-limiter-localstack-"))
    library = directory / "var" / "lib" / "localstack" / "lib"  # where LocalStack looks before it downloads
    wrapper = library / "java" / "21" / "bin" / "java"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text(_JAVA.format(java=shlex.quote(java), mark=shlex.quote(f"-D{marker(directory)}")))
    wrapper.chmod(0o700)
    (library / "dynamodb-local").mkdir()
    (library / "dynamodb-local" / "2").symlink_to(jar)
    port = free_port()
    command = [str(PYTHON), "-m", "localstack.runtime.main"]
    return launch(command, port, directory, _own_environment(port, directory))


def _own_environment(port: int, directory: Path) -> dict[str, str]:
    """Return LocalStack's whole environment, without any of the caller's variables."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(directory),
        "FILESYSTEM_ROOT": str(directory),
        "OVERRIDE_IN_DOCKER": "0",  # in a container it would use the container's root instead
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        # LocalStack ignores the host of an IPv4 address and listens on all; it respects an IPv6 host.
        "GATEWAY_LISTEN": f"[::ffff:127.0.0.1]:{port}",
        "SERVICES": "dynamodb,events,kms,ssm,sts",
        "DYNAMODB_IN_MEMORY": "1",
        # Off, as each would call another host: the paid edition, usage figures, a certificate, DNS.
        "ACTIVATE_PRO": "0",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def main(command: list[str]) -> int:
    """Run a command while LocalStack listens on `LOCALSTACK_HOST`; return the command's exit code."""
    if reason := unavailable():
        print(f"{reason} Nothing was tested over LocalStack.", file=sys.stderr)
        return int(os.environ.get("CI") == "true")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that LocalStack ends too
    try:
        with start_localstack() as localstack:
            host = f"127.0.0.1:{localstack.port}"
            return subprocess.run(
                command, check=False, env={**os.environ, "LOCALSTACK_HOST": host}
            ).returncode
    except (CannotFetch, EmulatorError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
