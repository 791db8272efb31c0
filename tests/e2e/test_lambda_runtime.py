"""The built zip in AWS's own runtime, which has nothing to import but the zip."""

import json
import os
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dev import ROOT
from dev.emulators import lambda_runtime
from dev.emulators.lambda_runtime import LambdaRuntime, LambdaRuntimeError
from dev.emulators.table import ensure_table
from dev.packaging import package
from tests.support.commands import skip_or_fail
from tests.support.service import check_original_contract, client_of
from tests.unit.entrypoints.calls import event

pytestmark = pytest.mark.e2e

TABLE = "streams-of-the-lambda-runtime"


@pytest.fixture(scope="module")
def environment(dynamodb_local_url: str) -> dict[str, str]:
    """Return the function's variables: a table, credentials, and the defaults for the rest."""
    ensure_table(client_of(dynamodb_local_url, "dynamodb"), TABLE)
    return {
        "TABLE_NAME": TABLE,
        "AUTH": "none",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_local_url,
    }


@pytest.fixture(scope="module")
def zipped() -> Path:
    """Return the zip for this machine's Python, built from the present sources."""
    reason = lambda_runtime.unavailable()
    if reason:
        skip_or_fail(reason)
    named = os.environ.get("ZIP")
    return ROOT / named if named else package.build("local")


def invoke(function: LambdaRuntime, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the status and the body that API Gateway would send on."""
    answer = function.invoke(event)
    assert "statusCode" in answer, answer
    return answer["statusCode"], json.loads(answer["body"])


def test_the_zip_serves_the_original_contract(zipped: Path, environment: dict[str, str]) -> None:
    """Four starts are 200 200 200 403, four ends 200 200 200 403, by two functions over one table."""
    with ExitStack() as functions:
        start, end = (
            functions.enter_context(LambdaRuntime(zipped, f"entrypoints.stream_{name}.handler", environment))
            for name in ("start", "end")
        )
        by_name = {"start": start, "end": end}
        check_original_contract(lambda name: invoke(by_name[name], event(name)))


@pytest.mark.parametrize(("name", "status"), [("heartbeat", 410), ("list", 200)])
def test_the_heartbeat_and_list_functions_answer(
    name: str, status: int, zipped: Path, environment: dict[str, str]
) -> None:
    """A stream that was never started is gone, and a user without streams has an empty list."""
    with LambdaRuntime(zipped, f"entrypoints.stream_{name}.handler", environment) as function:
        assert invoke(function, event(name))[0] == status


def test_a_dependency_missing_from_the_zip_is_not_found_elsewhere(
    zipped: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Without one dependency the function does not start, although this very test could import it."""
    lacking = tmp_path / "lacking.zip"
    with zipfile.ZipFile(zipped) as whole, zipfile.ZipFile(lacking, "w") as rest:
        for entry in whole.infolist():
            if not entry.filename.startswith("structlog/"):
                rest.writestr(entry, whole.read(entry))
    lost = pytest.raises(LambdaRuntimeError, match="No module named 'structlog'")
    with LambdaRuntime(lacking, "entrypoints.stream_start.handler", environment) as function, lost:
        function.invoke(event("start"))
