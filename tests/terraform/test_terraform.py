"""The Terraform checks itself: see terraform/tests for what is checked."""

import shutil
from pathlib import Path

import pytest

from dev import ROOT
from dev.terraform import CONFIGURATION, TerraformError, binary, plugin_options, said
from tests.support import skip_or_fail


@pytest.fixture(scope="module")
def working_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `terraform/`, `edge/` and `examples/`: nothing is written into the originals."""
    try:
        binary()
    except TerraformError as missing:
        skip_or_fail(str(missing))
    copy = tmp_path_factory.mktemp("terraform")
    for folder in (CONFIGURATION, ROOT / "edge", ROOT / "examples"):
        shutil.copytree(folder, copy / folder.name)
    return copy


def test_is_formatted(working_copy: Path) -> None:
    """`terraform fmt` would change nothing."""
    said(working_copy, "fmt", "-check", "-recursive")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "root", ["terraform", "terraform/bootstrap", "terraform/edge", "examples/module", "examples/cloudfront"]
)
def test_keeps_its_promises(root: str, working_copy: Path) -> None:
    """Wiring, least privilege and refused inputs hold (some fifty plans and applies on a mock)."""
    said(working_copy / root, "init", "-backend=false", *plugin_options())
    said(working_copy / root, "test")


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_each_stage_is_what_it_should_be(stage: str, working_copy: Path) -> None:
    """The settings that come with the repository make a stage that is safe for what it is for."""
    folder = working_copy / "terraform"
    said(folder, "init", "-backend=false", *plugin_options())
    said(
        folder,
        "test",
        "-test-directory=tests/stages",
        f"-filter=tests/stages/{stage}.tftest.hcl",
        f"-var-file=stages/{stage}.tfvars",
    )
