"""An HTTP request in the form of API Gateway (payload format 2.0), decoded and checked.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from domain.errors import InvalidInput
from domain.names import check_idempotency_key
from domain.streams import CEILING
from domain.values import value_object
from entrypoints.request_models import RequestModel

MAX_BODY_BYTES: Final = 4096
"""More than a body needs that has the longest valid value in every field, with all texts escaped."""

KEY_BYTES: Final = 16
"""The length of an idempotency key in the store."""

MALFORMED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""A percent sign that does not encode a byte."""

Model = TypeVar("Model", bound=RequestModel)


class InvalidFields(Exception):
    """Fields of the request break the contract.

    Attributes:
        errors: each offending field with its rule, in the order in which they were found.
    """

    def __init__(self, *errors: InvalidInput) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


class BodyTooLarge(Exception):
    """The body is longer than any valid one."""


@value_object
class HttpRequest:
    """An HTTP request.

    Attributes:
        event: the event of API Gateway.
        ignores_unknown_fields: whether fields that the model does not know are ignored.
    """

    event: Mapping[str, Any]
    ignores_unknown_fields: bool = False

    @property
    def request_id(self) -> str:
        """API Gateway's id of this request; empty if it has none."""
        return str(self._context().get("requestId", ""))

    def authorizer(self, kind: str) -> Mapping[str, Any]:
        """Return the output of API Gateway's authorizer of this kind; empty without one."""
        found = (self._context().get("authorizer") or {}).get(kind)
        return found if isinstance(found, Mapping) else {}

    def idempotency_key(self) -> str | None:
        """Return a digest of the player's idempotency key, of 22 characters; `None` without one.

        Raises:
            InvalidInput: the header is not a valid key.
        """
        headers = self.event.get("headers") or {}
        for name, value in headers.items():
            if name.lower() == "idempotency-key":
                key = check_idempotency_key(value).encode()
                digest = hashlib.blake2b(key, digest_size=KEY_BYTES).digest()
                return base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return None

    def body(self, model: type[Model]) -> Model:
        """Return the JSON body, whatever the Content-Type is.

        Raises:
            InvalidInput: the body is missing, or is not JSON.
            InvalidFields: it does not match the model.
            BodyTooLarge: it is longer than any valid one.
        """
        return self._validate(model, _parse(self._body_bytes()), whole="body")

    def query(self, model: type[Model]) -> Model:
        """Return the query string.

        Raises:
            InvalidInput: it is not percent-encoded, or a field is given twice.
            InvalidFields: it does not match the model.
        """
        query = self.event.get("rawQueryString") or ""
        if malformed := MALFORMED.search(query):  # parse_qsl would keep it unchanged
            name = query[: malformed.start()].rpartition("&")[2].partition("=")[0] or "query"
            raise InvalidInput(_shortened(name), "must be percent-encoded")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
        except ValueError:
            raise InvalidInput("query", "must be valid UTF-8, percent-encoded") from None
        return self._validate(model, _unique(pairs), whole="query")

    def _validate(self, model: type[Model], given: Any, *, whole: str) -> Model:
        if self.ignores_unknown_fields and isinstance(given, dict):
            given = model.without_unknown(given)
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise InvalidFields(*(_invalid(details, whole) for details in error.errors())) from None

    def _context(self) -> Mapping[str, Any]:
        return self.event.get("requestContext") or {}

    def _body_bytes(self) -> bytes:
        body = self.event.get("body")
        if not isinstance(body, str) or not body:
            raise InvalidInput("body", "must be a JSON object")
        if len(body) > MAX_BODY_BYTES * 2:  # not worth decoding
            raise BodyTooLarge
        try:
            content = (
                base64.b64decode(body, validate=True) if self.event.get("isBase64Encoded") else body.encode()
            )
        except UnicodeEncodeError:
            raise InvalidInput("body", "must be valid UTF-8") from None
        except ValueError:  # binascii.Error, or text beyond ASCII
            raise InvalidInput("body", "must be valid base64") from None
        if len(content) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return content


def _parse(content: bytes) -> Any:
    try:
        return _decoder.decode(content.decode())
    except UnicodeDecodeError:
        raise InvalidInput("body", "must be valid UTF-8") from None
    except InvalidInput:  # a field that is given twice
        raise
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, too deep
        raise InvalidInput("body", "must be valid JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dictionary. Refuse two values under one name, as either could be meant."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidInput(_shortened(name), "must not be given twice")
        fields[name] = value
    return fields


_decoder: Final = json.JSONDecoder(object_pairs_hook=_unique)
"""Made once: `json.loads` with a hook makes a decoder for each call."""


def _invalid(details: Mapping[str, Any], whole: str) -> InvalidInput:
    """Return one of pydantic's errors in the words of the contract."""
    cause = details.get("ctx", {}).get("error")
    field = _shortened(str(details["loc"][0])) if details["loc"] else whole
    if isinstance(cause, InvalidInput):
        return InvalidInput(field if details["loc"] else cause.field, cause.reason)
    reasons = _REASONS if len(details["loc"]) < 2 else _REASONS_OF_PARTS  # noqa: PLR2004 - the field, and its part
    return InvalidInput(field, reasons.get(details["type"], "is not valid"))


def _shortened(name: str) -> str:
    """Return a field's name for an answer: it may be a caller's text of any length and any characters."""
    return name[:64].encode(errors="replace").decode() or '""'


_A_LIMIT: Final = f"must be a whole number from 0 to {CEILING}"
_REASONS: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "int_type": _A_LIMIT,
    "greater_than_equal": _A_LIMIT,
    "less_than_equal": _A_LIMIT,
    "string_type": "must be a string",
    "tuple_type": "must be an array",
    "string_unicode": "must be valid Unicode text",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}
_REASONS_OF_PARTS: Final = {
    "string_type": "must hold strings only",
    "string_unicode": "must be valid Unicode text",
    **dict.fromkeys(
        ("int_type", "greater_than_equal", "less_than_equal"),
        f"must hold whole numbers from 0 to {CEILING} only",
    ),
}
