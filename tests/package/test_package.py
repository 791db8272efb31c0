"""The zip that the functions run from: the same bytes every time, and nothing that does not belong."""

import hashlib
import importlib.resources
import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from dev import ROOT
from dev.packaging import package
from dev.packaging.sbom import sbom
from entrypoints import precompiled

MEGABYTE = 1_000_000
LOADED_LIBRARIES = {
    *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
    "structlog",
}
MODULES = 270
"""The limit of modules in a cold start: 260 when this was written, the standard library's included."""
UNUSED = {"asyncio", "email", "importlib.metadata", "zipfile"}
"""Modules that the libraries would load without use."""

ELF_MACHINES = {"x86_64": 62, "arm64": 183}


@pytest.fixture(scope="module")
def zipped() -> Path:
    """Return the zip for the Python that runs this test."""
    return package.build("local")


@pytest.mark.long
def test_the_build_is_reproducible(zipped: Path, tmp_path: Path) -> None:
    """The bytes do not depend on place, time, umask or caches of the build."""
    for folder in ("dev", "requirements", "src"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            copy_function=shutil.copy,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src" / "domain" / "__pycache__").mkdir()
    (tmp_path / "src" / "domain" / "__pycache__" / "left.pyc").touch()
    subprocess.run(
        [sys.executable, "-m", "dev.packaging.package", "--target", "local"],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        umask=0o077,
    )
    again = tmp_path / zipped.relative_to(ROOT)
    assert again.read_bytes() == zipped.read_bytes()
    assert again.with_suffix(".cdx.json").read_text(encoding="utf-8") == sbom(zipped)


def test_the_zip_is_self_contained(zipped: Path, tmp_path: Path) -> None:
    """The handlers and the DynamoDB client, with its errors, need only the zip and the standard library."""
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3
import pydantic, structlog
import entrypoints.stream_start, entrypoints.stream_end
import entrypoints.stream_heartbeat, entrypoints.stream_list, entrypoints.stream_renewal
import entrypoints.operator_routes
client = boto3.client("dynamodb", region_name="eu-central-1")
assert client.meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com", client.meta.endpoint_url
assert client.exceptions.ConditionalCheckFailedException
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", program, tmp_path], check=True, env={})


def cold_start(folder: Path, program: str, **variables: str) -> str:
    """Run a program over the unpacked zip as a function with these variables; return its standard error."""
    environment = {
        "TABLE_NAME": "streams",
        "AUTH": "none",
        "STORE_CLIENT": "lean",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
        **variables,
    }
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, folder],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return run.stderr


def test_a_cold_start_loads_few_modules_and_no_unneeded_library(zipped: Path, tmp_path: Path) -> None:
    """A cold start does not load boto3, and loads few modules, because each import costs time."""
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from entrypoints import bootstrap, stream_start
bootstrap.service()
answer = stream_start.handler({"body": '{"userId": "1"}'}, None)
assert answer["statusCode"] == 503, answer  # nothing listens
print(*sys.modules, file=sys.stderr)
"""
    printed = cold_start(tmp_path, program, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    loaded = [name for name in printed.split() if not name.startswith("_sysconfigdata")]  # the machine's
    libraries = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert libraries == {"__main__", "domain", "adapters", "entrypoints", *LOADED_LIBRARIES}
    assert not UNUSED & set(loaded)
    assert len(loaded) <= MODULES


def compiled_dataclasses(folder: Path) -> list[str]:
    """Return the sources of dataclasses that a cold start from this folder compiles."""
    program = """
import sys
def look(event, arguments):
    if event == "compile" and b"__create_fn__" in (arguments[0] or b""):
        print(repr(arguments[0]), file=sys.stderr)
sys.addaudithook(look)
sys.path.insert(0, sys.argv[1])
from entrypoints import bootstrap, operator_routes
from entrypoints import stream_end, stream_heartbeat, stream_list, stream_renewal, stream_start
bootstrap.service()
"""
    return cold_start(folder, program, PLAYBACK_KEY=f"test:{'k' * 43}").splitlines()


def test_a_cold_start_compiles_no_dataclass(zipped: Path, tmp_path: Path) -> None:
    """The zip holds the bytecode of every method, and without it each is compiled and works as well."""
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    bytecode = tmp_path / precompiled.FILE.relative_to(ROOT / "src")

    assert compiled_dataclasses(tmp_path) == []
    bytecode.unlink()
    assert compiled_dataclasses(tmp_path) != []


def test_the_zip_has_only_the_service_and_its_dependencies(zipped: Path) -> None:
    """The zip has no tools, tests, caches or installation metadata, and is small enough to load fast."""
    with zipfile.ZipFile(zipped) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {"domain", "adapters", "entrypoints", "boto3", "pydantic", "structlog"} <= folders
    assert not folders & {"dev", "tests", "bin", "moto", "pytest", "starlette"}
    assert not [name for name in names if name.endswith((".pyi", "/RECORD"))]
    assert {
        name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2
    } == {"dynamodb", "ssm"}
    assert zipped.stat().st_size < 10 * MEGABYTE


def test_the_bill_of_materials_is_valid_and_complete(zipped: Path) -> None:
    """The list is valid CycloneDX by the format's own schema, and names this zip and each locked package."""
    listed = json.loads(sbom(zipped))
    folder = importlib.resources.files("cyclonedx.schema._res")  # as the library ships them

    def schema(uri: str) -> Any:
        name = uri.rpartition("/")[2].removesuffix(".schema.json").removesuffix(".SNAPSHOT")
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))

    jsonschema_rs.validator_for(schema("bom-1.6.schema.json"), retriever=schema).validate(listed)
    (digest,) = listed["metadata"]["component"]["hashes"]
    assert digest["content"] == hashlib.sha256(zipped.read_bytes()).hexdigest()
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", package.REQUIREMENTS.read_text(), re.MULTILINE)
    assert {component["purl"] for component in listed["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in locked
    }


def test_every_module_is_compiled_for_the_functions_python(zipped: Path) -> None:
    """Every module is compiled, since Lambda keeps no bytecode, and is not checked against its source."""
    with zipfile.ZipFile(zipped) as archive:
        names = set(archive.namelist())
        modules = [name for name in names if name.endswith(".py") and name.startswith(package.SOURCES)]
        assert modules
        for name in modules:
            compiled = importlib.util.cache_from_source(name)
            flags = archive.read(compiled)[4:8]
            assert flags == b"\1\0\0\0", "bytecode that is used without a look at its module"
    assert "domain/__pycache__/left.pyc" not in names


@pytest.fixture
def make_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], bool]]:
    """Run `make package` for a version of Python, into a zip of its own; return whether that has bytecode."""
    path = ROOT / "build" / f"{tmp_path.name}.zip"
    monkeypatch.setitem(package.ZIPS, "lambda", path)
    monkeypatch.setattr(sys, "argv", ["package"])

    def make(version: str) -> bool:
        monkeypatch.setenv("PYTHON_VERSION", version)
        package.main()
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pyc") for name in archive.namelist())

    yield make
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink()


def test_a_zip_without_bytecode_prints_a_warning(
    make_package: Callable[[str], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    """A zip built by another Python has no bytecode, and one line says how to avoid that."""
    other = "3.12" if package.THIS_PYTHON == "3.13" else "3.13"

    assert not make_package(other)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no bytecode, so every cold start compiles its modules: Python {package.THIS_PYTHON}" in line
    assert line.endswith(f"rm -r .venv && make package PYTHON=python{other}")


def test_a_zip_with_bytecode_prints_no_warning(
    make_package: Callable[[str], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    """A zip built by the functions' own Python is compiled, without a warning."""
    assert make_package(package.THIS_PYTHON)
    assert capsys.readouterr().err == ""


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.13", "3.14"])
@pytest.mark.parametrize("architecture", ELF_MACHINES)
def test_the_lambda_zips_binaries_match_its_processor(
    architecture: str, version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every binary in the zip is of the requested Python and processor, whatever this machine is."""
    monkeypatch.setenv("PYTHON_VERSION", version)
    monkeypatch.setenv("ARCHITECTURE", architecture)
    monkeypatch.setitem(package.ZIPS, "lambda", tmp_path / "lambda.zip")
    with zipfile.ZipFile(package.build("lambda")) as archive:
        binaries = {name: archive.read(name) for name in archive.namelist() if ".so" in name}
    assert binaries
    for name, content in binaries.items():
        assert f"cpython-{version.replace('.', '')}" in name
        assert struct.unpack_from("<H", content, 18) == (ELF_MACHINES[architecture],), name


@pytest.mark.parametrize(("name", "value"), [("PYTHON_VERSION", "python3.13"), ("ARCHITECTURE", "aarch64")])
def test_a_wrong_value_names_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that AWS does not know is refused before anything is fetched."""
    monkeypatch.setenv(name, value)
    with pytest.raises(package.PackageError, match=f"{name}.*{value}"):
        package.build("lambda")


def test_the_lock_has_no_environment_markers() -> None:
    """The lock has no environment markers, which pip would judge by the building machine."""
    assert ";" not in package.REQUIREMENTS.read_text()
