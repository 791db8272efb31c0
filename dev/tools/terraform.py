"""Terraform, run in working copies of its configuration so that stacks share no files."""

import glob
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev import ROOT

CONFIGURATION = ROOT / "terraform"
STATES = ROOT / ".state"
"""The folder of local states."""
STATE_BUCKET = CONFIGURATION / "state-bucket"

SUPPORTED_PROVIDERS = ">= 5.100, < 7"
"""The versions of the AWS provider that each root module accepts in its own `required_providers`."""
TESTED_PROVIDER = "5.100.0"
"""The version of the AWS provider that every stack gets, unless `AWS_PROVIDER_VERSION` names another."""
PROVIDER_VARIABLE = {
    "AWS_PROVIDER_VERSION": f"the version of Terraform's AWS provider, {TESTED_PROVIDER} by default",
}
"""The help for the variable, for each command that makes stacks."""

REGISTRY = "registry.terraform.io"
REGISTRY_TIMEOUT_SECONDS = 2
INTERRUPT_TIMEOUT_SECONDS = 30
# Folders with copies of providers: the places that Terraform documents, then the file system's top levels.
MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.terraform.d/plugin-cache",
    "~/.local/share/terraform/plugins",
    "~/Library/Application Support/io.terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/*",
    "/*/*",
)


ENVIRONMENT = {
    "CHECKPOINT_DISABLE": "1",  # the check for new versions would wait for a network that may be unavailable
    "TF_IN_AUTOMATION": "1",
    "GOGC": "400",  # at 100, garbage collection takes a sixth of the time: the schema fills the heap
}
"""The environment of each Terraform process, unless the caller's environment overrides it."""


class TerraformError(Exception):
    """Terraform is missing or has failed; the message is meant for the person who ran the command."""


@dataclass(frozen=True)
class Stack:
    """One deployment of a configuration, from a working copy of it."""

    directory: Path
    """The working copy; created by `init`, and safe to delete."""
    state: Path
    """The local state; not used with a `backend_config`."""
    stage: str | None
    """The stage; None for a configuration without one."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Win over `variable_files` and `TF_VAR_…`."""
    variable_files: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """Terraform's whole environment: credentials, region, `TF_VAR_…`."""
    backend_config: Path | None = None
    """Settings of an S3 backend (bucket, region, …) for the state instead of `state`."""
    configuration: Path = CONFIGURATION
    """The folder to copy: `terraform/`, or another root."""
    attempts: int | None = None
    """The retries of a call answered with a 5xx; None for the provider's own 25, which may take an hour."""
    quiet: bool = False
    """Whether to print Terraform's output only if it fails."""

    def init(self) -> None:
        """Make a new working copy and fetch the provider."""
        copy_configuration(self.configuration, self.directory)
        backend = "s3" if self.backend_config else "local"
        (self.directory / "backend_override.tf").write_text(f'terraform {{\n  backend "{backend}" {{}}\n}}\n')
        pin_provider(self.directory)
        if self.attempts:
            attempts = f'provider "aws" {{\n  max_retries = {self.attempts}\n}}\n'
            (self.directory / "attempts.tf").write_text(attempts)
        if self.backend_config:
            settings = [str(self.backend_config.resolve()), f"key=stream-limiter/{self.stage}.tfstate"]
        else:
            self.state.parent.mkdir(parents=True, exist_ok=True)
            settings = [f"path={self.state.resolve()}"]
        self._run(
            "init",
            "-reconfigure",
            "-upgrade",  # an earlier copy's lock file may name another version of the provider
            *(f"-backend-config={setting}" for setting in settings),
            *plugin_options(),
            silent=True,
        )

    def adopt(self, state: Path) -> None:
        """Import a state from elsewhere, after `init`.

        Raises:
            TerraformError: the stack has a state of another origin, or a newer one.
        """
        self._run("state", "push", str(state.resolve()), silent=True)

    def apply(self, *, confirm: bool = False) -> None:
        """Create or change what differs; with `confirm`, Terraform shows the plan and asks for approval."""
        self._run("apply", *_approval(confirm=confirm), *self.inputs())

    def destroy(self, *, confirm: bool = False, timeout_seconds: float | None = None) -> None:
        """Delete everything.

        Args:
            confirm: whether Terraform shows the plan and asks for approval.
            timeout_seconds: interrupt Terraform after this time; unlimited by default.

        Raises:
            TerraformError: it failed or was interrupted, or the table is protected, which Terraform would
                notice only at the end.
        """
        if self.output().get("deletion_protection"):
            raise TerraformError(
                f"{self.stage}'s table is protected: set deletion_protection = false, deploy, and try again."
            )
        self._run("destroy", *_approval(confirm=confirm), *self.inputs(), timeout_seconds=timeout_seconds)

    def output(self) -> dict[str, Any]:
        """Return the outputs of the last apply by name."""
        outputs = run_terraform(self.directory, "output", "-json", environment=self.environment)
        return {name: output["value"] for name, output in json.loads(outputs).items()}

    def inputs(self) -> list[str]:
        """Return the options of plan, apply and destroy that set the variables."""
        return [
            *(f"-var-file={file.resolve()}" for file in self.variable_files),
            *([f"-var=stage={self.stage}"] if self.stage else []),
            *(f"-var={name}={value}" for name, value in self.variables.items()),
        ]

    def _run(self, *arguments: str, silent: bool = False, timeout_seconds: float | None = None) -> None:
        captured = silent or self.quiet
        with (
            _interrupts_left_to_the_child(),
            subprocess.Popen(
                [binary(), f"-chdir={self.directory}", *arguments],
                env={**ENVIRONMENT, **self.environment},
                stdin=subprocess.DEVNULL if captured else None,
                stdout=subprocess.PIPE if captured else None,
                stderr=subprocess.STDOUT if captured else None,
                text=True,
            ) as process,
        ):
            failure = "failed"
            try:
                output = process.communicate(timeout=timeout_seconds)[0]
            except subprocess.TimeoutExpired:
                failure = f"was interrupted, as it took longer than {timeout_seconds:g} seconds"
                output = _interrupt(process)
        if process.returncode != 0:
            raise TerraformError(f"`terraform {arguments[0]}` {failure}.\n{output or ''}".rstrip())


def _interrupt(process: subprocess.Popen[str]) -> str:
    """Interrupt Terraform so that it saves its state; end it by force if it does not stop."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=INTERRUPT_TIMEOUT_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def run_terraform(directory: Path, *arguments: str, environment: Mapping[str, str] = os.environ) -> str:
    """Run one command in a configuration's folder, and return its output.

    Raises:
        TerraformError: it failed.
    """
    done = subprocess.run(
        [binary(), f"-chdir={directory}", *arguments],
        check=False,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise TerraformError(f"`terraform {arguments[0]}` failed.\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def binary() -> str:
    """Return the path of Terraform, or of OpenTofu if `TERRAFORM` names it.

    Raises:
        TerraformError: it is not installed.
    """
    name = os.environ.get("TERRAFORM", "terraform")
    if found := shutil.which(name):
        return found
    raise TerraformError(
        f"`{name}` is not installed: install Terraform 1.9 or later, or name it in TERRAFORM."
    )


def copy_configuration(configuration: Path, directory: Path) -> None:
    """Copy the *.tf files of a configuration into a directory, and remove any others."""
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.glob("*.tf"):
        stale.unlink()
    for file in configuration.glob("*.tf"):
        shutil.copy(file, directory)


def provider_version() -> str:
    """Return the version of the AWS provider that stacks are deployed with."""
    return os.environ.get("AWS_PROVIDER_VERSION") or TESTED_PROVIDER


def pin_provider(directory: Path) -> None:
    """Narrow a working copy's supported versions of the AWS provider to `provider_version`."""
    pin = {"source": "hashicorp/aws", "version": f"{SUPPORTED_PROVIDERS}, {provider_version()}"}
    override = {"terraform": {"required_providers": {"aws": pin}}}
    (directory / "provider_override.tf.json").write_text(json.dumps(override, indent=2))


def plugin_options() -> list[str]:
    """Return the options of `terraform init` that select the source of the provider.

    None if the registry answers; otherwise `TF_PLUGIN_DIR`, or a copy that is found on this machine.
    """
    given = os.environ.get("TF_PLUGIN_DIR")
    if given:
        return [f"-plugin-dir={given}"]
    mirror = find_mirror()
    if mirror is None or _registry_answers():
        return []
    print(f"The provider comes from {mirror}: the registry is unavailable.")
    return [f"-plugin-dir={mirror}"]


def find_mirror() -> Path | None:
    """Find a folder with a copy of the AWS provider, in a bounded number of places."""
    for place in MIRRORS:
        pattern = f"{Path(place).expanduser()}/{REGISTRY}/hashicorp/aws"
        for provider in glob.glob(pattern):  # noqa: PTH207 - Path.glob fails on folders that it cannot read
            return Path(provider).parents[2]
    return None


def _registry_answers() -> bool:
    try:
        urllib.request.urlopen(
            f"https://{REGISTRY}/.well-known/terraform.json", timeout=REGISTRY_TIMEOUT_SECONDS
        ).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _approval(*, confirm: bool) -> list[str]:
    return [] if confirm else ["-auto-approve", "-input=false"]


@contextmanager
def _interrupts_left_to_the_child() -> Iterator[None]:
    """Leave Ctrl-C to Terraform, which finishes its current step and saves its state."""
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
