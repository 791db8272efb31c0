"""The Terraform's own checks: see terraform/tests for their content."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import ROOT
from dev.tools.servers import end
from dev.tools.terraform import (
    CONFIGURATION,
    REGISTRY,
    SUPPORTED_PROVIDERS,
    TESTED_PROVIDER,
    Stack,
    TerraformError,
    binary,
    copy_configuration,
    pin_provider,
    plugin_options,
    provider_version,
    run_terraform,
)
from tests.support.commands import skip_or_fail

ROOTS = ["terraform", "terraform/state-bucket", "terraform/edge", "examples/module", "examples/cloudfront"]
FILES = [(root, file.name) for root in ROOTS for file in sorted((ROOT / root / "tests").glob("*.tftest.hcl"))]
PLAN_FOR_NEWEST_RUNTIME = """
mock_provider "aws" {}

run "plan" {
  command = plan

  variables {
    stage        = "test"
    auth         = "none"
    package_path = "tests/package.zip"
    runtime      = "python3.14"
    log_hash_key = "made-up"
  }
}
"""


@pytest.fixture(scope="module")
def working_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of `terraform/`, `edge/` and `examples/`, so that the originals stay unchanged."""
    try:
        binary()
    except TerraformError as missing:
        skip_or_fail(str(missing))
    copy = tmp_path_factory.mktemp("terraform")
    for folder in (CONFIGURATION, ROOT / "edge", ROOT / "examples"):
        shutil.copytree(folder, copy / folder.name)
    return copy


@pytest.fixture(scope="module")
def reattach(working_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a running provider, the version that is deployed with.

    Terraform would start one, of 700 MB, for each run.
    """
    root = tmp_path_factory.mktemp("pinned")
    copy_configuration(working_copy / "terraform", root)
    pin_provider(root)
    run_terraform(root, "init", "-backend=false", *plugin_options())
    versions = root / ".terraform" / "providers"
    (provider,) = versions.glob(f"*/hashicorp/aws/{provider_version()}/*/terraform-provider-aws*")
    with subprocess.Popen(
        [provider, "-debug"],
        env={"TMPDIR": str(tmp_path_factory.mktemp("provider"))},  # for its socket
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        addresses = (re.search(b"TF_REATTACH_PROVIDERS='(.*)'", line) for line in process.stdout)
        try:
            yield next(found[1].decode() for found in addresses if found)
        finally:
            end(process)


@pytest.fixture
def provider(reattach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yield the AWS provider, which runs already: `init` need not install it."""
    monkeypatch.setenv("TF_REATTACH_PROVIDERS", reattach)


def test_is_formatted(working_copy: Path) -> None:
    """`terraform fmt` would change nothing."""
    run_terraform(working_copy, "fmt", "-check", "-recursive")


@pytest.mark.long
@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(("root", "file"), FILES)
def test_module_keeps_its_guarantees(root: str, file: str, working_copy: Path) -> None:
    """Wiring, least privilege and refused inputs hold (some fifty plans and applies on a mock)."""
    run_terraform(working_copy / root, "init", "-backend=false")
    run_terraform(working_copy / root, "test", f"-filter=tests/{file}")


def test_each_wrong_group_is_refused(working_copy: Path, tmp_path: Path) -> None:
    """Each rule about groups and paths holds alone (some thirty plans of the variables alone)."""
    shutil.copy(working_copy / "terraform" / "variables.tf", tmp_path)
    shutil.copytree(working_copy / "terraform" / "tests" / "inputs", tmp_path / "tests")
    run_terraform(tmp_path, "init", "-backend=false")
    run_terraform(tmp_path, "test")


def mirror_of(version: str, folder: Path) -> Path:
    """Make a mirror of this version of the AWS provider, which `init` selects and does not run."""
    folder.mkdir(exist_ok=True)
    machine = json.loads(run_terraform(folder, "version", "-json"))["platform"]
    platform = folder / REGISTRY / "hashicorp" / "aws" / version / machine
    platform.mkdir(parents=True)
    (platform / f"terraform-provider-aws_v{version}").touch(mode=0o755)
    return folder


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("version", ["5.100.0", "6.0.0", "6.99.0"])
def test_accepts_the_last_provider_5_and_every_6(
    version: str, root: str, working_copy: Path, tmp_path: Path
) -> None:
    """A root that needs provider 6 can use the module, as can one that stays on the last 5."""
    here = tmp_path / "copy"
    shutil.copytree(working_copy, here, ignore=shutil.ignore_patterns(".terraform*"))

    run_terraform(here / root, "init", "-backend=false", f"-plugin-dir={mirror_of(version, tmp_path)}")


@pytest.mark.parametrize("version", ["5.99.0", "7.0.0"])
def test_rejects_any_other_provider(version: str, working_copy: Path, tmp_path: Path) -> None:
    """A future major version of the provider, which may change any argument, is refused."""
    here = tmp_path / "copy"
    shutil.copytree(working_copy, here, ignore=shutil.ignore_patterns(".terraform*"))

    with pytest.raises(TerraformError, match="no available releases match"):
        run_terraform(
            here / "terraform", "init", "-backend=false", f"-plugin-dir={mirror_of(version, tmp_path)}"
        )


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_accepts_the_same_versions_of_the_provider(root: str) -> None:
    """Each root module accepts exactly the versions of the provider that a stack may be deployed with."""
    files = (file.read_text(encoding="utf-8") for file in (ROOT / root).glob("*.tf"))

    assert re.findall(r'^ +version += "(.+)"$', "".join(files), re.MULTILINE) == [SUPPORTED_PROVIDERS]


@pytest.fixture
def stack(working_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Return a stack that finds several versions of the provider in its mirror."""
    for version in ("5.99.0", TESTED_PROVIDER, "6.20.0", "6.99.0", "7.0.0"):
        mirror_of(version, tmp_path / "mirror")
    monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path / "mirror"))
    monkeypatch.delenv("AWS_PROVIDER_VERSION", raising=False)
    return Stack(
        directory=tmp_path / "copy",
        state=tmp_path / "terraform.tfstate",
        stage="test",
        configuration=working_copy / "terraform",
    )


def locked(stack: Stack) -> str:
    """Return the version of the provider that a stack's working copy has."""
    (version,) = re.findall(
        r'^ +version += "(.+)"$', (stack.directory / ".terraform.lock.hcl").read_text(), re.MULTILINE
    )
    return str(version)


def test_a_stack_gets_the_provider_that_was_tested(stack: Stack) -> None:
    """A new working copy gets the tested provider, although newer versions are supported."""
    stack.init()

    assert locked(stack) == TESTED_PROVIDER


def test_another_supported_provider_can_be_chosen(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_PROVIDER_VERSION selects another version, also in a working copy that has one, and back."""
    stack.init()
    chosen = []
    for version in ("6.20.0", ""):
        monkeypatch.setenv("AWS_PROVIDER_VERSION", version)
        stack.init()
        chosen.append(locked(stack))

    assert chosen == ["6.20.0", TESTED_PROVIDER]


@pytest.mark.parametrize("version", ["5.99.0", "7.0.0"])
def test_an_unsupported_provider_cannot_be_chosen(
    version: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_PROVIDER_VERSION does not widen the versions that the module supports."""
    monkeypatch.setenv("AWS_PROVIDER_VERSION", version)

    with pytest.raises(TerraformError, match="no available releases match"):
        stack.init()


@pytest.mark.usefixtures("provider")
def test_the_provider_decides_about_the_newest_runtime(working_copy: Path) -> None:
    """The variable allows the newest runtime; a provider older than the runtime names both in its error."""
    folder = working_copy / "terraform"
    newest = folder / "tests" / "newest" / "runtime.tftest.hcl"
    newest.parent.mkdir()
    newest.write_text(PLAN_FOR_NEWEST_RUNTIME)
    run_terraform(folder, "init", "-backend=false", "-test-directory=tests/newest")
    try:
        run_terraform(folder, "test", "-no-color", "-test-directory=tests/newest")
        refusal = None
    except TerraformError as error:
        refusal = str(error)

    assert refusal is None or re.search("expected runtime to be one of .* got python3.14", refusal)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_each_stage_is_safe_for_its_purpose(stage: str, working_copy: Path) -> None:
    """The repository's settings make each stage safe for its purpose."""
    folder = working_copy / "terraform"
    run_terraform(folder, "init", "-backend=false")
    run_terraform(
        folder,
        "test",
        "-test-directory=tests/stages",
        f"-filter=tests/stages/{stage}.tftest.hcl",
        f"-var-file=stages/{stage}.tfvars",
    )
