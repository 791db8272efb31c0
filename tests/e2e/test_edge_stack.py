"""The edge's Terraform on the emulator, as the example in examples/cloudfront has it: stored, not run."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from dev import ROOT
from dev.emulators.edge import FUNCTION
from dev.emulators.ministack import Emulator, emulated_environment, start_emulator
from dev.tools.terraform import Stack, copy_configuration, run_terraform
from tests.e2e.support.deployment import need_the_tools
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

EXAMPLE: Final = ROOT / "examples" / "cloudfront"
MODULE: Final = ROOT / "terraform" / "edge"


@dataclass(frozen=True)
class Deployment:
    """A distribution with the edge before it, and its address."""

    stack: Stack
    emulator: Emulator

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return the example, applied once for this module."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("edge")
    copy_configuration(MODULE, directory / MODULE.relative_to(ROOT))
    shutil.copytree(FUNCTION.parent, directory / FUNCTION.parent.relative_to(ROOT))
    with start_emulator() as emulator:
        stack = Stack(
            directory=directory / EXAMPLE.relative_to(ROOT),
            state=directory / "terraform.tfstate",
            stage="test",
            variables={"bucket": "video-of-a-test", "page_origins": '["https://www.example.com"]'},
            environment=emulated_environment(emulator.endpoint_url),
            configuration=EXAMPLE,
            quiet=True,
        )
        stack.init()
        stack.apply()
        yield Deployment(stack, emulator)


def test_second_plan_is_empty(deployment: Deployment) -> None:
    """A second apply would change nothing."""
    stack = deployment.stack
    plan = run_terraform(stack.directory, "plan", "-no-color", *stack.inputs(), environment=stack.environment)
    assert "No changes." in plan, plan


def test_the_live_function_is_the_tested_file(deployment: Deployment) -> None:
    """CloudFront's function is byte for byte the tested file, beside the store that it reads."""
    cloudfront = deployment.client("cloudfront")
    name = "video-test-viewer-request"
    live = cloudfront.get_function(Name=name, Stage="LIVE")["FunctionCode"].read()
    assert live == FUNCTION.read_bytes()
    described = cloudfront.describe_function(Name=name, Stage="LIVE")["FunctionSummary"]["FunctionConfig"]
    (store,) = described["KeyValueStoreAssociations"]["Items"]
    assert store["KeyValueStoreARN"] == deployment.stack.output()["key_value_store_arn"]
    assert described["Runtime"] == "cloudfront-js-2.0"


def test_the_distribution_runs_the_function(deployment: Deployment) -> None:
    """The distribution's one behaviour runs the function on viewer requests."""
    cloudfront = deployment.client("cloudfront")
    (distribution,) = cloudfront.list_distributions()["DistributionList"]["Items"]
    config = cloudfront.get_distribution_config(Id=distribution["Id"])["DistributionConfig"]
    (association,) = config["DefaultCacheBehavior"]["FunctionAssociations"]["Items"]
    assert association["EventType"] == "viewer-request"
    assert association["FunctionARN"].endswith(":function/video-test-viewer-request")
    assert config["CacheBehaviors"]["Quantity"] == 0


def test_no_key_is_in_the_state(deployment: Deployment) -> None:
    """Terraform makes the store and writes nothing into it."""
    state = deployment.stack.state.read_text(encoding="utf-8")
    assert "aws_cloudfront_key_value_store" in state
    assert "aws_cloudfrontkeyvaluestore_key" not in state


def test_destroy_leaves_nothing(deployment: Deployment) -> None:
    """Runs last: destroying deletes the distribution, the function and the store."""
    deployment.stack.destroy()
    cloudfront = deployment.client("cloudfront")
    assert "Items" not in cloudfront.list_distributions()["DistributionList"]
    assert not cloudfront.list_functions()["FunctionList"].get("Items")
    assert not cloudfront.list_key_value_stores()["KeyValueStoreList"].get("Items")
