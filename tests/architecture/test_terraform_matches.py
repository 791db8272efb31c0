"""Terraform sets what the service reads, and routes to what it has.

Terraform is read here by regular expressions over the form that `terraform fmt` gives every file:
a block's closing brace stands alone, as far to the left as the line that opens it.
"""

import importlib
import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from dev.local import cdn, cors
from dev.operate.stage import FUNCTIONS, URL_FUNCTION, function_name
from dev.tools.terraform import TESTED_PROVIDER
from domain.names import GROUP_PATTERN, MAX_PATH_PREFIX, PATH_PREFIX_PATTERN
from domain.streams import CEILING
from entrypoints import operator_routes
from entrypoints.groups import MAX_GROUPS_TOTAL
from entrypoints.operators import OperatorRoute
from entrypoints.route import Route
from entrypoints.routes import ROUTES
from entrypoints.settings import MAX_LEASE_SECONDS_WITH_TOKENS, Settings

TERRAFORM = Path(__file__).parents[2] / "terraform"
MADE_BY_TERRAFORM = {"table_name", "heartbeat_url"}
NEVER_IN_TERRAFORM = {"playback_key"}
"""A key would be in Terraform's state and in the functions' settings: on AWS there is only the parameter."""

SET_BY_TERRAFORM = sorted(set(Settings.model_fields) - NEVER_IN_TERRAFORM)
CONFIGURABLE = sorted(set(SET_BY_TERRAFORM) - MADE_BY_TERRAFORM)


def block(text: str, opening: str) -> str:
    """Return the lines between a block's opening line and its closing brace."""
    found = re.search(rf"^( *){opening} \{{\n(.*?)^\1\}}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no block {opening}"
    return found[2]


def read(name: str) -> str:
    """Return one of Terraform's files."""
    return (TERRAFORM / name).read_text(encoding="utf-8")


def variable(name: str) -> str:
    """Return the block of a variable."""
    return block(read("variables.tf"), f'variable "{name}"')


def environment() -> dict[str, str]:
    """Return the expression that sets each variable of the functions' environment."""
    text = block(read("functions.tf"), "environment =")
    url = re.search(
        r"environment_with_url = merge\(local\.environment, \{\n(.+?)\n +\}\)", read("functions.tf")
    )
    assert url is not None
    return dict(re.findall(r"^ +(\w+) += (.+)$", f"{text}\n{url[1]}", re.MULTILINE))


def handlers() -> dict[str, str]:
    """Return the handler of each function."""
    text = block(read("main.tf"), "functions =")
    return dict(re.findall(r'^    (\w+) = \{\n +handler = "(.+)"$', text, re.MULTILINE))


def routes() -> dict[str, str]:
    """Return the handler that Terraform sends each route to."""
    main = read("main.tf")
    text = block(main, "player_routes =") + block(main, "operator_routes =")
    found = re.findall(r'^    [\w-]+ += \{ function = "(\w+)", key = "(.+)" \}$', text, re.MULTILINE)
    return {key: handlers()[function] for function, key in found}


def bounds_in_terraform(name: str) -> set[tuple[str, float]]:
    """Return the bounds of a variable's value, or of its length."""
    comparisons = re.findall(rf"(?:var\.{name}|length\(var\.{name}\)) (>=|<=|>|<) (\d+)", variable(name))
    return {(sign, float(bound)) for sign, bound in comparisons}


def bounds_in_settings(field: FieldInfo) -> set[tuple[str, float]]:
    """Return the same bounds of a setting."""
    signs = {"ge": ">=", "le": "<=", "gt": ">", "lt": "<", "min_length": ">=", "max_length": "<="}
    return {
        (sign, float(getattr(bound, name)))
        for bound in field.metadata
        for name, sign in signs.items()
        if getattr(bound, name, None) is not None
    }


def test_terraform_sets_every_setting_and_nothing_else() -> None:
    """Terraform sets exactly the settings that the code reads."""
    assert environment().keys() == {name.upper() for name in SET_BY_TERRAFORM}
    assert environment()["TABLE_NAME"] == "aws_dynamodb_table.streams.name"
    url = 'var.heartbeat_url ? aws_lambda_function_url.heartbeat[0].function_url : ""'
    assert environment()["HEARTBEAT_URL"] == url


@pytest.mark.parametrize("name", sorted(NEVER_IN_TERRAFORM))
def test_no_terraform_input_holds_a_key(name: str) -> None:
    """No file of Terraform's can name the key: it has neither a variable nor a setting of the functions."""
    for file in TERRAFORM.rglob("*.tf"):
        assert not re.search(rf"\b{name}\b", file.read_text(encoding="utf-8"), re.IGNORECASE), file


@pytest.mark.parametrize("name", CONFIGURABLE)
def test_each_setting_has_its_own_variable(name: str) -> None:
    """Each setting is set from the Terraform variable of its name, and from no other."""
    assert set(re.findall(r"var\.(\w+)", environment()[name.upper()])) == {name}


@pytest.mark.parametrize("name", CONFIGURABLE)
def test_defaults_are_the_same(name: str) -> None:
    """Terraform's defaults are the code's, and a null is not passed on to it."""
    found = re.search(r"^  default +=(.+)$", variable(name), re.MULTILINE)
    if name == "auth":  # Terraform requires authentication to be chosen; the code trusts no caller by default
        assert found is None
        return
    assert found is not None
    default = json.loads(found[1])
    settings = Settings.from_environment({"TABLE_NAME": "streams"}).model_dump(mode="json")
    field = Settings.model_fields[name]

    assert default == (settings[name] if field.default_factory is None else None)


@pytest.mark.parametrize("name", CONFIGURABLE)
def test_bounds_are_the_same(name: str) -> None:
    """A plan refuses exactly what the functions would refuse."""
    assert bounds_in_terraform(name) == bounds_in_settings(Settings.model_fields[name])


@pytest.mark.parametrize("name", CONFIGURABLE)
def test_choices_are_the_same(name: str) -> None:
    """A setting that is a choice is the same choice on both sides."""
    annotation = Settings.model_fields[name].annotation
    kind: Any = annotation if isinstance(annotation, type) else object  # maps and lists are not choices
    found = re.search(rf"contains\((\[.+\]), var\.{name}\)", variable(name))
    choices = set(json.loads(found[1])) if found else set()

    assert choices == (set(kind) if issubclass(kind, StrEnum) else set())


@pytest.mark.parametrize("name", CONFIGURABLE)
def test_both_sides_require_whole_numbers(name: str) -> None:
    """A setting that must be whole must be whole on both sides."""
    whole = f"floor(var.{name}) == var.{name}" in variable(name)

    assert whole is (Settings.model_fields[name].annotation is int)


def test_patterns_are_the_same() -> None:
    """A text that must have a form must have it on both sides."""
    patterns = {
        name: bound.pattern
        for name in CONFIGURABLE
        for bound in Settings.model_fields[name].metadata
        if getattr(bound, "pattern", None)
    }
    assert patterns
    for name, pattern in patterns.items():
        assert f"""can(regex({json.dumps(pattern)}, var.{name}))""" in variable(name)


def test_the_rules_for_groups_are_the_same() -> None:
    """Names, paths and their numbers are bounded by the same patterns and figures."""
    for name in ("group_limits", "group_labels"):
        assert f'can(regex("^{GROUP_PATTERN}$", name))' in variable(name)
    assert f"limit >= 0 && limit <= {CEILING} && floor(limit) == limit" in variable("group_limits")
    both = "length(var.group_labels) + length(var.group_limits)"
    assert f"{both} <= {MAX_GROUPS_TOTAL}" in variable("group_labels")
    assert f'can(regex("^{PATH_PREFIX_PATTERN}$", prefix))' in variable("group_paths")
    assert f"length(prefix) <= {MAX_PATH_PREFIX}" in variable("group_paths")


def test_the_service_reads_groups_in_terraforms_format() -> None:
    """The service reads the texts of Terraform's own test as the inputs of that test."""
    written = dict(re.findall(r'^ +(GROUP_\w+) += "(.+)"$', read("tests/wiring.tftest.hcl"), re.MULTILINE))
    settings = Settings.from_environment({"TABLE_NAME": "streams", **written})

    assert settings.group_limits == {"uhd": 2, "away": 1, "sports": 0}
    assert settings.group_labels == ("hdr", "mobile")
    assert settings.group_limits_claim == "plan.groups"
    assert settings.group_paths == {"/uhd/": "uhd", "/4k/hdr/": "hdr"}


def test_both_sides_require_a_heartbeat_shorter_than_a_lease() -> None:
    """Terraform too requires a heartbeat interval below the lease, so that players keep their slots."""
    assert "var.heartbeat_seconds < var.lease_seconds" in variable("heartbeat_seconds")


def test_both_sides_bound_a_lease_with_playback_tokens() -> None:
    """The longest lease beside a playback key is the same."""
    assert f"var.lease_seconds <= {MAX_LEASE_SECONDS_WITH_TOKENS}" in variable("playback_key_parameter")


def test_terraform_deploys_exactly_the_handlers() -> None:
    """Terraform deploys exactly the handlers that the code has and `make run` serves."""
    entrypoints = TERRAFORM.parent / "src" / "entrypoints"
    players = {path.stem for path in entrypoints.glob("stream_*.py")}

    by_url = re.findall(r'handler = "entrypoints\.(\w+)\.handler"', block(read("main.tf"), "url_functions ="))
    by_route = {handler.split(".")[1] for handler in handlers().values()}
    assert by_route | set(by_url) == players | {"operator_routes"}
    assert by_url == ["stream_renewal"], "what is called without API Gateway requires a token"
    assert routes().keys() == {route.key for route in ROUTES}
    assert {
        route.key for route in ROUTES if isinstance(route, OperatorRoute)
    } == operator_routes.ROUTES.keys()
    operators = re.findall(r'key = "(.+)"', block(read("main.tf"), "operator_routes ="))
    assert set(operators) == operator_routes.ROUTES.keys()


def test_make_run_and_terraform_have_the_same_cors_rules() -> None:
    """A page of another origin may send and read the same on both, for as long."""
    configured = dict(
        re.findall(r"^ +(\w+) += (.+?)(?: #.*)?$", block(read("api.tf"), "content"), re.MULTILINE)
    )

    assert json.loads(configured["allow_methods"]) == list(cors.METHODS)
    assert json.loads(configured["allow_headers"]) == list(cors.HEADERS)
    assert json.loads(configured["expose_headers"]) == list(cors.EXPOSED_HEADERS)
    assert int(configured["max_age"]) == cors.MAX_AGE_SECONDS


def test_the_bucket_of_make_run_lets_pages_do_what_the_examples_bucket_lets_them_do() -> None:
    """A player on a page of another origin may send the same to both buckets, for as long."""
    example = (TERRAFORM.parent / "examples" / "cloudfront" / "main.tf").read_text(encoding="utf-8")
    configured = dict(re.findall(r"^ +(\w+) += (.+)$", block(example, "cors_rule"), re.MULTILINE))

    assert json.loads(configured["allowed_methods"]) == list(cdn.METHODS)
    assert json.loads(configured["allowed_headers"]) == list(cdn.HEADERS)
    assert int(configured["max_age_seconds"]) == cdn.MAX_AGE_SECONDS


@pytest.mark.parametrize(("key", "path"), routes().items())
def test_each_route_leads_to_its_own_handler(key: str, path: str) -> None:
    """The handler that Lambda looks up exists and belongs to its route."""
    module, _, name = path.rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    route = operator_routes.ROUTES[key] if handler is operator_routes.handler else handler

    assert isinstance(route, Route)
    assert route.key == key
    assert callable(handler)


def test_commands_use_the_deployed_function_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`make logs` and `make rollback` call each function by the name that Terraform gives it."""
    main = read("main.tf")
    assert set(FUNCTIONS) == handlers().keys()
    assert re.findall(r"^ {6}([\w-]+) = \{$", block(main, "url_functions ="), re.MULTILINE) == [URL_FUNCTION]

    monkeypatch.setenv("TF_VAR_name", "${var.name}")
    name = function_name("${var.stage}", "${key}").replace("${var.name}-${var.stage}", "${local.prefix}")
    assert f'function_names = {{ for key, _ in local.all_functions : key => "{name}" }}' in main
    assert 'prefix = "${var.name}-${var.stage}"' in main

    monkeypatch.delenv("TF_VAR_name")
    default = function_name("dev", "start").removesuffix("-dev-start")
    assert re.search(rf'^  default += "{default}"$', variable("name"), re.MULTILINE)


@pytest.mark.parametrize("page", ["terraform.md", "deploy.md", "adr/0008-terraform-in-copies.md"])
def test_documents_name_the_provider_that_is_deployed_with(page: str) -> None:
    """Each page about the provider's versions names the one that a stack gets, and the variable."""
    text = (TERRAFORM.parent / "docs" / page).read_text(encoding="utf-8")

    assert TESTED_PROVIDER in text
    assert "AWS_PROVIDER_VERSION" in text


def test_every_variable_has_a_description_and_a_type() -> None:
    """Every variable has a description and a type."""
    names = re.findall(r'^variable "(\w+)"', read("variables.tf"), re.MULTILINE)
    missing = [
        f"{name}: {attribute}"
        for name in names
        for attribute in ("description", "type")
        if not re.search(rf"^  {attribute} +=", variable(name), re.MULTILINE)
    ]

    assert names
    assert missing == []
