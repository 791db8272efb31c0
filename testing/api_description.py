"""The API's description, as a check of answers."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from dev.generate import openapi


def is_described(route: str, answer: Mapping[str, Any]) -> bool:
    """Return whether the API's description has such an answer for the route."""
    validator = _validator(route, answer["statusCode"], answer["headers"]["content-type"])
    return validator is not None and validator.is_valid(json.loads(answer["body"]))


@cache
def _validator(route: str, status: int, media_type: str) -> Draft202012Validator | None:
    described = _description()
    method, path = route.split(" ")
    response = described["paths"][path][method.lower()]["responses"].get(str(status), {})
    content = response.get("content", {}).get(media_type)
    if content is None:
        return None
    return Draft202012Validator({**content["schema"], "components": described["components"]})


@cache
def _description() -> dict[str, Any]:
    described: dict[str, Any] = openapi.description()
    return described
