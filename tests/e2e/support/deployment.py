"""The zip, deployed by Terraform, on an emulator that enforces IAM: as many stages of it as a test wants."""

import json
import secrets
from pathlib import Path

from dev import ROOT
from dev.emulators.issuer import AUDIENCE, Issuer
from dev.emulators.ministack import PYTHON, Emulator, emulated_api_url, emulated_environment
from dev.packaging import package
from dev.tools.terraform import CONFIGURATION, Stack, TerraformError, binary, copy_configuration
from tests.support.commands import skip_or_fail
from tests.support.service import client_of


def stage(
    emulator: Emulator, directory: Path, root: Path = CONFIGURATION, /, **variables: str
) -> tuple[Stack, str]:
    """Apply a stage of this root with these variables, unwatched; yield it and the API's address."""
    copy_configuration(CONFIGURATION, directory / "terraform")  # where another root finds the module
    stack = Stack(
        directory=directory / root.relative_to(ROOT),
        state=directory / "terraform.tfstate",
        stage=f"t{secrets.token_hex(4)}",
        variables={"package_path": str(package.build("local")), "monitoring": "false", **variables},
        environment=emulated_environment(emulator.endpoint_url),
        quiet=True,
        configuration=root,
    )
    stack.init()
    stack.apply()
    return stack, emulated_api_url(emulator.endpoint_url, str(stack.output()["api_url"]))


def published_issuer(emulator: Emulator, directory: Path) -> tuple[Issuer, dict[str, str]]:
    """Return an issuer whose keys the emulator can read, and a stage's variables for its tokens."""
    issuer = Issuer.at(emulator.endpoint_url, directory / "issuer.pem")
    issuer.publish(client_of(emulator.endpoint_url, "s3"))
    return issuer, {"auth": "jwt", "jwt_issuer": issuer.url, "jwt_audience": json.dumps([AUDIENCE])}


def need_the_tools() -> None:
    """Skip the test where Terraform or the emulator is not installed."""
    try:
        binary()
    except TerraformError as missing:
        skip_or_fail(str(missing))
    if not PYTHON.exists():
        skip_or_fail("The emulator is not installed: run `make install`.")
