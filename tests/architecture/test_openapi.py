"""The API's description says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from dev.generate import openapi
from dev.generate.openapi_operations import OPERATIONS
from entrypoints import stream_renewal
from entrypoints.problems import RULES
from entrypoints.route import Route
from entrypoints.routes import ROUTES


def test_the_description_is_current() -> None:
    """The committed file is the output of `make openapi`."""
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(), "run `make openapi`"


def test_exactly_the_served_routes_are_described() -> None:
    """The paths are the routes of Terraform and `make run`, and the heartbeat URL."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in openapi.description()["paths"].items()
        for method in operations
    }
    assert described == {openapi.RENEWAL, *(route.key for route in ROUTES)}


def test_every_problem_is_described_with_its_status() -> None:
    """Each code of the one table of problems is an example of an answer with its status."""
    described = {
        (int(status), code)
        for operations in openapi.description()["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for code in response["content"].get("application/problem+json", {}).get("examples", ())
    }
    assert described == {(rule.status.value, rule.code) for rule in RULES.values()}


def test_every_example_fits_its_schema() -> None:
    """Every example of a request, an answer or a problem fits its schema."""
    described = openapi.description()
    contents = [
        content
        for operations in described["paths"].values()
        for operation in operations.values()
        for body in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in body.get("content", {}).values()
    ]
    shown = 0
    for content in contents:
        validator = Draft202012Validator({**content["schema"], "components": described["components"]})
        examples = [example["value"] for example in content.get("examples", {}).values()]
        for example in [*examples, *([content["example"]] if "example" in content else [])]:
            validator.validate(example)
            shown += 1
    assert shown > len(contents)


@pytest.mark.parametrize(
    "route", [*ROUTES, stream_renewal.handler], ids=lambda route: route.decode.__module__
)
def test_the_described_models_are_the_handlers(route: Route[Any, Any]) -> None:
    """A route's handler decodes and encodes exactly the described models."""
    operation = OPERATIONS[openapi.RENEWAL if route is stream_renewal.handler else route.key]
    source = Path(route.decode.__code__.co_filename).read_text(encoding="utf-8")
    assert re.search(rf"request\.(body|query)\({operation.takes.__name__}\)", source)
    assert route.encode.__annotations__["return"] is operation.answers
