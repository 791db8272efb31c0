"""`make openapi`: the API's description, made out of the routes, the models and the table of problems."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import yaml
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from dev import ROOT
from dev.generate.openapi_operations import EVERYWHERE, GATEWAY, OF_TOKENS, OPERATIONS, Operation
from domain.names import IDEMPOTENCY_KEY_PATTERN
from entrypoints.answer_models import AnswerModel, Problem
from entrypoints.callers import NotAllowed
from entrypoints.http_request import BodyTooLarge
from entrypoints.problems import RETRY_AFTER_SECONDS, problem_for
from entrypoints.request_models import RequestModel
from entrypoints.routes import ROUTES

FILE: Final = ROOT / "docs" / "openapi.yaml"
HEADER: Final = "# Made by `make openapi` out of the routes, the models and the table of problems.\n"
DEFAULTS: Final = """\
It describes a service with its default settings. Two of them change what is a valid request:

- `unknown_fields = ignore`: fields that are not listed here are ignored, unless they are a listed field in
  another spelling, such as `streamID`.
- `anonymous = refuse`: a start needs a `streamId`.
"""
TAG: Final = {"name": "streams", "description": "A user's streams, and the slots that they hold."}
OPERATORS_TAG: Final = {
    "name": "operator",
    "description": "Any user's streams, for those who operate the service. Signed by IAM under every `auth`; "
    "`make run` takes them unsigned.",
}
SERVER: Final = {
    "url": "http://localhost:{port}",
    "description": "`make run`",
    "variables": {"port": {"default": "3000", "description": "`PORT` of `make run`"}},
}
HEARTBEAT_SERVER: Final = {
    "url": "https://{id}.lambda-url.{region}.on.aws",
    "description": "`heartbeatUrl` of an answer, where `heartbeat_url = true`",
    "variables": {
        "id": {"default": "example", "description": "The heartbeat URL's own name."},
        "region": {"default": "eu-central-1", "description": "The region of the stage."},
    },
}
RENEWAL: Final = "POST /"
SCHEMAS: Final = "#/components/schemas/{model}"


def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": project["name"],
            "version": project["version"],
            "summary": project["description"],
            "description": DEFAULTS,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [SERVER],
        "tags": [TAG, OPERATORS_TAG],
        "security": [{}, {"jwt": []}, {"iam": []}],
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": _security_schemes()},
    }


def text() -> str:
    """The document as it is written to `docs/openapi.yaml`."""
    unshared = json.loads(json.dumps(description()))  # YAML would write an object used twice as an alias
    return HEADER + str(yaml.safe_dump(unshared, sort_keys=False, allow_unicode=True, width=110))


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        method, path = route.key.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(OPERATIONS[route.key], method)
    method, path = RENEWAL.split(" ")
    paths[path] = {method.lower(): _operation(OPERATIONS[RENEWAL], method) | {"servers": [HEARTBEAT_SERVER]}}
    return paths


def _operation(operation: Operation, method: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [(OPERATORS_TAG if operation.is_operators else TAG)["name"]],
        "summary": operation.summary,
    }
    if operation.is_operators:
        described["security"] = [{}, {"iam": []}]
    if operation.is_public:
        described["security"] = [{}]
    has_body = method == "POST"
    if doc := operation.takes.__doc__:
        described["description"] = doc
    if not has_body:
        described["parameters"] = _query_parameters(operation.takes)
    else:
        if operation.is_repeatable:
            described["parameters"] = [_IDEMPOTENCY_KEY]
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": _content(operation.takes, operation.asked)},
        }
    of_tokens = () if operation.is_operators or operation.is_public else OF_TOKENS
    everywhere = [one for one in EVERYWHERE if not (operation.is_public and isinstance(one, NotAllowed))]
    problems = [*everywhere, *of_tokens, *operation.refusals, *([BodyTooLarge()] if has_body else [])]
    ok = {
        "description": "Done.",
        "content": {"application/json": _content(operation.answers, operation.told)},
    }
    described["responses"] = {"200": ok, **_problems(problems)}
    for status, (text, message) in () if operation.is_public else GATEWAY.items():
        if operation.is_operators and status == str(int(HTTPStatus.UNAUTHORIZED)):
            continue  # the answer to a wrong token, and these routes take none
        response = described["responses"].setdefault(status, {"description": "", "content": {}})
        response["description"] = f"{response['description']}. {text}".lstrip(". ")
        response["content"]["application/json"] = {
            "schema": {"$ref": SCHEMAS.format(model="GatewayAnswer")},
            "example": {"message": message},
        }
    described["responses"] = dict(sorted(described["responses"].items()))
    return described


def _content(model: type[AnswerModel | RequestModel], examples: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": {"$ref": SCHEMAS.format(model=model.__name__)},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }


def _query_parameters(model: type[RequestModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": _untitled(of)}
        for name, of in schema["properties"].items()
    ]


def _problems(errors: Sequence[Exception]) -> dict[str, Any]:
    """A response per status, with an example per code."""
    responses: dict[str, Any] = {}
    for error in errors:
        problem = problem_for(error, request_id="c1bGJjxuoAMEJ6w=")
        response = responses.setdefault(
            str(int(problem.status)),
            {
                "description": HTTPStatus(problem.status).phrase,
                "content": {"application/problem+json": {"examples": {}}},
            },
        )
        example = {"summary": problem.title, "value": json.loads(problem.to_json())}
        content = response["content"]["application/problem+json"]
        content["examples"][problem.code] = example
        codes = {"properties": {"code": {"enum": sorted(content["examples"])}}}
        content["schema"] = {"allOf": [{"$ref": SCHEMAS.format(model="Problem")}, codes]}
        if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            response["headers"] = {"Retry-After": _RETRY_AFTER}
    return responses


def _schemas() -> dict[str, Any]:
    takes = {operation.takes for key, operation in OPERATIONS.items() if key.startswith("POST ")}
    answers = {operation.answers for operation in OPERATIONS.values()} | {Problem}
    _, requests = models_json_schema([(model, "validation") for model in takes], ref_template=SCHEMAS)
    _, replies = models_json_schema([(model, "serialization") for model in answers], ref_template=SCHEMAS)
    schemas = {**requests["$defs"], **{name: _left_out(of) for name, of in replies["$defs"].items()}}
    schemas = {name: _explained(of) for name, of in schemas.items()}
    codes = {
        example
        for path in _paths().values()
        for operation in path.values()
        for response in operation["responses"].values()
        for example in response["content"].get("application/problem+json", {}).get("examples", ())
    }
    schemas["Problem"]["properties"]["code"]["enum"] = sorted(codes)
    schemas["GatewayAnswer"] = {
        "description": "An answer of API Gateway's own, which no function has seen.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
        "type": "object",
    }
    return dict(sorted(schemas.items()))


def _left_out(schema: dict[str, Any]) -> dict[str, Any]:
    """An answer leaves a field out instead of sending null."""
    if "properties" not in schema:  # a choice of words
        return schema
    properties = schema["properties"]
    optional = set()
    for name, of in properties.items():
        kinds = [kind for kind in of.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            optional.add(name)
            rest = {key: value for key, value in of.items() if key not in {"anyOf", "default"}}
            properties[name] = {**kinds[0], **rest}
    required = [name for name in properties if name not in optional]
    return {**schema, "required": required}


def _explained(schema: dict[str, Any]) -> dict[str, Any]:
    """The attributes that a docstring lists become their properties' descriptions; titles say nothing new."""
    if "properties" not in schema:
        return _untitled(schema)
    summary, _, attributes = schema["description"].partition("\n\nAttributes:\n")
    told = {to_camel(name): text for name, text in re.findall(r"^ +(\w+): (.+)$", attributes, re.MULTILINE)}
    properties = {
        name: _untitled(of) | ({"description": told[name]} if name in told else {})
        for name, of in schema["properties"].items()
    }
    return {**_untitled(schema), "description": summary, "properties": properties}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _security_schemes() -> dict[str, Any]:
    return {
        "jwt": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "`auth = jwt`: the user is the token's claim `user_claim`, by default `sub`.",
        },
        "iam": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4: an operator, or under `auth = iam` a trusted backend.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    }


_RETRY_AFTER: Final = {
    "description": "Seconds to wait before the call is repeated.",
    "schema": {"type": "integer", "examples": [RETRY_AFTER_SECONDS]},
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes an anonymous call repeatable: 1 to 255 printable ASCII characters, no space. "
    "A named call is repeatable by itself, and only checks it.",
    "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY_PATTERN}$"},
}

if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)} is up to date.")
