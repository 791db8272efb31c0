"""The zip that the functions run from: the service and its locked dependencies, nothing else.

The same sources produce the same bytes on every machine (with the same version of Python and the same build
of zlib), so that Terraform sees only real changes. If this Python has the Lambda's version, the modules are
compiled: a Lambda cannot store bytecode, and would compile at each cold start.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dev import ROOT
from dev.packaging.sbom import sbom
from dev.tools.cache import cached_folder

Target = Literal["lambda", "local"]

REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
SOURCES = ("domain", "adapters", "entrypoints")
ZIPS = {
    "lambda": ROOT / "build" / "stream-limiter.zip",
    "local": ROOT / "build" / "stream-limiter-local.zip",
}

# All Lambda runtimes for Python have a C library that is new enough for these.
WHEEL_PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
INSTALL_TIMEOUT_SECONDS = 300

# Files that the service never reads at run time. METADATA stays: vulnerability scanners read it.
NOT_NEEDED = re.compile(
    r"""
    .*\.pyi | (.*/)?\.[^/]+ | bin/.*
    | [^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)  # differ between machines
    | (boto3/(data|examples)|botocore/data/(?!dynamodb/2012|ssm/)[^/]+)/.*  # the models of other services
    | botocore/data/.*/examples-1\.json
    | pydantic/(v1/.*|mypy\.py) | dateutil/zoneinfo/.*\.tar\.gz  # unused here, and large
    """,
    re.VERBOSE,
)


THIS_PYTHON = ".".join(platform.python_version_tuple()[:2])
_CACHES = shutil.ignore_patterns("__pycache__")


class PackageError(Exception):
    """The zip cannot be built; the message is meant for the person who ran the command."""


def build(target: Target) -> Path:
    """Build the zip, and return its path.

    Args:
        target: "lambda" for AWS: the Python and processor in the variables PYTHON_VERSION (3.13) and
            ARCHITECTURE (arm64, or x86_64). "local" for the Python and the machine that run this.

    Raises:
        PackageError: a variable has an unknown value, or the dependencies cannot be installed.
    """
    version = _version() if target == "lambda" else THIS_PYTHON
    dependencies = _installed(version, _wheels_for_lambda(version) if target == "lambda" else [])
    path = ZIPS[target]
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with tempfile.TemporaryDirectory() as service, zipfile.ZipFile(unfinished, "w") as archive:
        for package in SOURCES:
            shutil.copytree(ROOT / "src" / package, Path(service) / package, ignore=_CACHES)
        _compile(Path(service), version)
        _precompile(Path(service), version)
        entries = dict(_files(dependencies)) | dict(_files(Path(service)))
        for name, file in sorted(entries.items()):
            entry = zipfile.ZipInfo(name)  # its time is 1980-01-01
            entry.create_system = 3  # Unix on every platform
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
    unfinished.replace(path)
    return path


def _compile(folder: Path, version: str) -> None:
    """Add bytecode to the modules, if this Python compiles for that version.

    Python never checks it against the module, as a zip does not keep modification times.
    """
    if version == THIS_PYTHON:
        # In its own process: earlier imports and the hash seed would show in the bytecode.
        subprocess.run(
            [
                *(sys.executable, "-m", "compileall", "-qq", "-s", folder, folder),
                *("--invalidation-mode", "unchecked-hash"),
            ],
            check=False,  # a dependency may have a module that no Python compiles; it stays uncompiled
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )


def _precompile(service: Path, version: str) -> None:
    """Put the bytecode of dataclasses beside that of modules, if this Python makes what that version reads.

    It comes from the libraries in this environment, which have the locked versions: those for Lambda may be
    for another processor.
    """
    if version == THIS_PYTHON:
        file = service / "entrypoints" / "__pycache__" / f"dataclasses.{sys.implementation.cache_tag}"
        subprocess.run(
            [sys.executable, "-B", "-m", "dev.packaging.precompile", file],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(service), "PYTHONHASHSEED": "0"},
        )


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for file in root.rglob("*"):
        name = file.relative_to(root).as_posix()
        if file.is_file() and not NOT_NEEDED.fullmatch(name):
            yield name, file


def _version() -> str:
    """Return the version of Python that the Lambda runs."""
    version = os.environ.get("PYTHON_VERSION") or "3.13"
    if not re.fullmatch(r"3\.\d+", version):
        raise PackageError(f"PYTHON_VERSION must be two numbers, as in 3.13, not {version!r}.")
    return version


def _wheels_for_lambda(version: str) -> list[str]:
    """Return pip's options for wheels of another Python on another machine."""
    architecture = os.environ.get("ARCHITECTURE") or "arm64"
    if architecture not in WHEEL_PLATFORMS:
        raise PackageError(f"ARCHITECTURE must be one of {', '.join(WHEEL_PLATFORMS)}, not {architecture!r}.")
    return [
        f"--platform={WHEEL_PLATFORMS[architecture]}",
        f"--python-version={version}",
        "--implementation=cp",
    ]


def _installed(version: str, wheels: list[str]) -> Path:
    """Return a folder with the dependencies, installed once for each lock file and kind of wheel."""
    kind = [*wheels, platform.platform(), platform.python_implementation(), platform.python_version()]
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + "\n".join(kind).encode()).hexdigest()

    def install(folder: Path) -> None:
        options = [
            *("--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"),
            # The lock is complete: pip checks it, and resolves no dependencies.
            *("--require-hashes", "--no-deps", "--only-binary=:all:"),
            f"--target={folder}",
            f"--requirement={REQUIREMENTS}",
        ]
        try:
            subprocess.run(
                [sys.executable, "-m", "pip", "install", *options, *wheels],
                check=True,
                stderr=subprocess.PIPE,
                text=True,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
        except subprocess.CalledProcessError as failure:
            raise PackageError(f"pip cannot install the dependencies:\n{failure.stderr}") from failure
        except subprocess.TimeoutExpired as failure:
            raise PackageError(f"pip took more than {INSTALL_TIMEOUT_SECONDS} seconds.") from failure
        _compile(folder, version)

    return cached_folder(f"built/{key[:16]}", install)


def main() -> None:
    """Build one zip and its list of contents, and print a summary."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.packaging.package",
        description=__doc__,
        epilog="PYTHON_VERSION (by default 3.13) and ARCHITECTURE (arm64) are those of the Lambda.",
    )
    parser.add_argument("--target", choices=ZIPS, default="lambda")
    target = parser.parse_args().target
    try:
        path = build(target)
    except PackageError as reason:
        sys.exit(str(reason))
    if target == "lambda" and (version := _version()) != THIS_PYTHON:
        print(
            f"The zip holds no bytecode, so every cold start compiles its modules: Python {THIS_PYTHON} built"
            f" it for {version}. To avoid that: rm -r .venv && make package PYTHON=python{version}",
            file=sys.stderr,
        )
    path.with_suffix(".cdx.json").write_text(sbom(path), encoding="utf-8")
    content = path.read_bytes()
    print(
        f"{path.relative_to(ROOT)}: {len(content) / 1e6:.1f} MB, sha256 {hashlib.sha256(content).hexdigest()}"
    )


if __name__ == "__main__":
    main()
