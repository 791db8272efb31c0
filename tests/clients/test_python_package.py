"""The Python client as an index would have it: its files and their metadata."""

import json
import tarfile
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

import pytest

from tests.clients.installed import CLIENTS, python_client, python_package

pytestmark = pytest.mark.e2e

FOLDER: Final = CLIENTS / "python"
VERSION: Final = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Return the installed wheel."""
    folder = tmp_path_factory.mktemp("installed")
    python_client(folder)
    (distribution,) = distributions(path=[str(folder)])
    return distribution


def test_the_metadata_of_the_wheel(installed: Distribution) -> None:
    """The metadata have the author of npm's package, the licence, the versions of Python and the links."""
    metadata = installed.metadata
    assert (metadata["Name"], installed.version) == ("stream-limiter-client", VERSION)
    npm = json.loads((CLIENTS / "js" / "package.json").read_text(encoding="utf-8"))
    assert metadata["Author"] == npm["author"] == "The stream-limiter authors"
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert installed.requires == ["httpx<1,>=0.27"]
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(
        metadata.get_all("Classifier", [])
    )
    named = {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])}
    assert named == {"Repository", "Documentation", "Changelog", "Issues"}
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Keywords"]


def test_the_files_of_the_wheel(installed: Distribution) -> None:
    """The wheel has the code, its types and the licence, and nothing else of the repository."""
    files = [file for file in installed.files or () if file.suffix != ".pyc"]
    source = FOLDER / "src" / "stream_limiter_client"
    assert {file.name for file in files if file.parts[0] == source.name} == {
        file.name for file in source.iterdir() if file.name != "__pycache__"
    }
    assert source.joinpath("py.typed").exists()
    assert {file.parts[0] for file in files} == {source.name, f"{source.name}-{VERSION}.dist-info"}
    (license_file,) = [file for file in files if file.name == "LICENSE"]
    assert license_file.read_text() == (CLIENTS.parent / "LICENSE").read_text(encoding="utf-8")


def test_the_files_of_the_sdist() -> None:
    """The sdist has what a build needs, and what people read."""
    with tarfile.open(python_package().sdist) as archive:
        files = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    texts = {
        Path("CHANGELOG.md"),
        Path("LICENSE"),
        Path("README.md"),
        Path("pyproject.toml"),
        Path("PKG-INFO"),
    }
    assert {file for file in files if file.parts[0] != "src"} - {Path(".gitignore")} == texts
    assert {Path("src/stream_limiter_client") / name for name in ("__init__.py", "py.typed")} <= files


def test_the_readme_names_the_wheel() -> None:
    """The README's install lines have this version."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"\npip install {python_package().wheel.name}\n" in readme
    assert readme.index("pip install stream-limiter-client\n") < readme.index("```python")


def test_the_changelog_names_the_version() -> None:
    """The changelog's newest section has the built version."""
    changelog = (FOLDER / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in changelog.splitlines() if line.startswith("## "))
    assert newest.split()[1] == VERSION
