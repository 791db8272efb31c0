"""The running service, called by its own description."""

from typing import Final

import pytest

from dev import ROOT
from dev.local.local_service import LocalService
from tests.support.commands import skip_or_fail, succeed

pytestmark = [pytest.mark.e2e, pytest.mark.long]

TOOLS: Final = ROOT / ".venv-openapi" / "bin"
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
"""Not `positive_data_acceptance`: no schema says how many bytes a text has in UTF-8, or that it is blank."""


def need(tool: str) -> None:
    """Skip the test where the tool is not installed."""
    if not (TOOLS / tool).exists():
        skip_or_fail(f"{tool} is not installed: `make test-long` installs it.")


def test_the_description_is_valid_openapi() -> None:
    """The description is valid for the version of OpenAPI that it names."""
    need("openapi-spec-validator")
    succeed(TOOLS / "openapi-spec-validator", "--schema", "3.1", "docs/openapi.yaml")


def test_the_service_conforms_to_its_description() -> None:
    """No request that schemathesis makes of the description gets an answer that is not in it."""
    need("schemathesis")
    with LocalService() as service:
        succeed(
            *(TOOLS / "schemathesis", "run", "docs/openapi.yaml", "--url", service.url),
            *("--checks", ",".join(CHECKS), "--max-examples", "10", "--seed", "1"),
            *("--phases", "examples,coverage,fuzzing", "--generation-database", "none"),
            *("--exclude-path", "/"),  # the heartbeat URL, which is on another host
        )
