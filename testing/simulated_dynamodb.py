"""DynamoDB in this process's memory, for the part of its language that the adapter uses.

It stands beneath the adapter: it evaluates the real `UpdateItem` expressions, so that a wrong expression
shows. The repository's contract suite runs over it as over DynamoDB Local. It is not thread-safe.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from adapters.aws.errors import ErrorAnswer

Item = dict[str, dict[str, Any]]
Names = Mapping[str, str]
Condition = Callable[[Item, Names, Item], bool]
Measure = Callable[[str, Item, Names, Item], dict[str, Any] | None]
"""The measured property of an operand: its value, or its size."""

Action = Callable[[Item, Item, Names, Item], None]
"""Changes the new item, given the old one, the names and the values."""

_TOKEN: Final = re.compile(r"<=|[<>=(),]|[A-Za-z0-9_:#.]+")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "=": lambda left, right: left == right,
}


def failure(code: str, item: Item | None = None) -> ErrorAnswer:
    """Return the error that a client would raise."""
    return ErrorAnswer(code, 400, item)


class SimulatedDynamoDb:
    """A table of items by their `userId`, with the two operations of the service.

    Attributes:
        items: the items; each is replaced as a whole, never changed.
    """

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one of the two operations."""
        return self.update_item(request) if operation == "UpdateItem" else self.get_item(request)

    def update_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make DynamoDB's `UpdateItem`, returning `ALL_NEW`, or `ALL_OLD` with a failed condition."""
        key = request["Key"]["userId"]["S"]
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        old = self.items.get(key, {})
        if not _condition(request["ConditionExpression"])(old, names, values):
            raise failure("ConditionalCheckFailedException", old)
        new = dict(old) if old else {"userId": {"S": key}}
        for act in _actions(request["UpdateExpression"]):
            act(new, old, names, values)
        self.items[key] = new
        return {"Attributes": new}

    def get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make DynamoDB's `GetItem`."""
        item = self.items.get(request["Key"]["userId"]["S"])
        return {} if item is None else {"Item": item}


class _Tokens:
    """The words of an expression, one by one."""

    def __init__(self, text: str) -> None:
        self._words = _TOKEN.findall(text)
        self._place = 0

    def peek(self) -> str:
        return self._words[self._place] if self._place < len(self._words) else ""

    def take(self, expected: str | None = None) -> str:
        word = self.peek()
        if not word or (expected is not None and word != expected):
            raise failure("ValidationException")
        self._place += 1
        return word

    def skip(self, word: str) -> bool:
        found = self.peek() == word
        self._place += found
        return found


@lru_cache(maxsize=4096)
def _condition(text: str) -> Condition:
    tokens = _Tokens(text)
    parsed = _any_of(tokens)
    if tokens.peek():
        raise failure("ValidationException")
    return parsed


def _any_of(tokens: _Tokens) -> Condition:
    parts = [_all_of(tokens)]
    while tokens.skip("OR"):
        parts.append(_all_of(tokens))
    if len(parts) == 1:
        return parts[0]
    return lambda item, names, values: any(part(item, names, values) for part in parts)


def _all_of(tokens: _Tokens) -> Condition:
    parts = [_term(tokens)]
    while tokens.skip("AND"):
        parts.append(_term(tokens))
    if len(parts) == 1:
        return parts[0]
    return lambda item, names, values: all(part(item, names, values) for part in parts)


def _term(tokens: _Tokens) -> Condition:
    if tokens.skip("NOT"):
        negated = _term(tokens)
        return lambda item, names, values: not negated(item, names, values)
    if tokens.skip("("):
        inner = _any_of(tokens)
        tokens.take(")")
        return inner
    left = tokens.take()
    if left in _FUNCTIONS:
        return _FUNCTIONS[left](_operands(tokens))
    if left == "size":
        (left,) = _operands(tokens)
        return _comparison(left, tokens, _size)
    if tokens.skip("IN"):
        options = _operands(tokens)
        return lambda item, names, values: (
            _value(left, item, names, values) in [_value(option, item, names, values) for option in options]
        )
    return _comparison(left, tokens, _value)


def _exists(operands: list[str]) -> Condition:
    (path,) = operands
    return lambda item, names, values: _value(path, item, names, values) is not None


def _not_exists(operands: list[str]) -> Condition:
    (path,) = operands
    return lambda item, names, values: _value(path, item, names, values) is None


def _contains(operands: list[str]) -> Condition:
    path, text = operands

    def holds(item: Item, names: Names, values: Item) -> bool:
        texts = _value(path, item, names, values)
        return texts is not None and values[text]["S"] in texts["SS"]

    return holds


_FUNCTIONS: Final[Mapping[str, Callable[[list[str]], Condition]]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "contains": _contains,
}


def _comparison(left: str, tokens: _Tokens, measure: Measure) -> Condition:
    """Compare the measured property of the left operand with the right one."""
    compare = _COMPARE[tokens.take()]
    right = tokens.take()

    def holds(item: Item, names: Names, values: Item) -> bool:
        one, other = measure(left, item, names, values), _value(right, item, names, values)
        if one is None or other is None or one.keys() != other.keys():
            return False  # a missing value, or one of another type, compares with nothing
        ((kind, this),), ((_, that),) = one.items(), other.items()
        return compare(int(this), int(that)) if kind == "N" else compare(this, that)

    return holds


def _operands(tokens: _Tokens) -> list[str]:
    tokens.take("(")
    options = [tokens.take()]
    while tokens.skip(","):
        options.append(tokens.take())
    tokens.take(")")
    return options


def _value(operand: str, item: Item, names: Names, values: Item) -> dict[str, Any] | None:
    """Return the value of a path or a placeholder, in the SDK's shape; `None` when it is missing."""
    if operand[0] == ":":
        return values[operand]
    name, _, member = operand.partition(".")
    value = item.get(names[name] if name[0] == "#" else name)
    if not member or value is None:
        return value
    inside: dict[str, Any] | None = value["M"].get(member) if "M" in value else None
    return inside


def _size(operand: str, item: Item, names: Names, values: Item) -> dict[str, Any] | None:
    """Return how many texts a set has."""
    value = _value(operand, item, names, values)
    return None if value is None else {"N": str(len(value["SS"]))}


@lru_cache(maxsize=4096)
def _actions(text: str) -> tuple[Action, ...]:
    tokens = _Tokens(text)
    actions: list[Action] = []
    targets: list[str] = []
    parsers = {"SET": _set, "REMOVE": _remove, "ADD": _add}
    while tokens.peek():
        parse = parsers[tokens.take()]
        while True:
            target = tokens.take()
            targets.append(target)
            actions.append(parse(target, tokens))
            if not tokens.skip(","):
                break
    if len(set(targets)) < len(targets):
        raise failure("ValidationException")  # DynamoDB: two paths overlap
    return tuple(actions)


def _set(target: str, tokens: _Tokens) -> Action:
    tokens.take("=")
    source = tokens.take()
    fallback: str | None = None
    if source == "if_not_exists":
        source, fallback = _operands(tokens)

    def act(new: Item, old: Item, names: Names, values: Item) -> None:
        value = _value(source, old, names, values)
        if value is None and fallback is not None:
            value = _value(fallback, old, names, values)
        name, _, member = target.partition(".")
        name = names[name] if name[0] == "#" else name
        if value is None or (member and "M" not in new.get(name, {})):
            raise failure("ValidationException")  # no such value, or no such place
        new[name] = {"M": {**new[name]["M"], member: value}} if member else value

    return act


def _remove(target: str, tokens: _Tokens) -> Action:  # noqa: ARG001 - a target is all there is
    def act(new: Item, old: Item, names: Names, values: Item) -> None:  # noqa: ARG001 - one shape for all
        new.pop(names[target] if target[0] == "#" else target, None)

    return act


def _add(target: str, tokens: _Tokens) -> Action:
    amount = tokens.take()

    def act(new: Item, old: Item, names: Names, values: Item) -> None:
        value, name = values[amount], names[target] if target[0] == "#" else target
        if "SS" in value:
            new[name] = {"SS": sorted({*old.get(name, {"SS": ()})["SS"], *value["SS"]})}
        else:
            new[name] = {"N": str(int(old.get(name, {"N": "0"})["N"]) + int(value["N"]))}

    return act
