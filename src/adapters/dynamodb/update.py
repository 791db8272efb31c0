"""A builder of one `UpdateItem` request."""

from typing import Any

from adapters.dynamodb import items


class Update:
    """The parts of one `UpdateItem` request, with the names and values that they need."""

    def __init__(self) -> None:
        self._set: list[str] = []
        self._remove: list[str] = []
        self._add: list[str] = []
        self._conditions: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def stream(self, stream_id: str) -> str:
        """Return a placeholder for the attribute of a stream's lease."""
        return self._attribute(items.STREAM_PREFIX + stream_id)

    def spent(self, stream_id: str) -> str:
        """Return a placeholder for the attribute of a stream's spent token."""
        return self._attribute(items.SPENT_PREFIX + stream_id)

    def group(self, name: str) -> str:
        """Return a placeholder for the attribute of a group's count."""
        return self._attribute(items.GROUP_PREFIX + name)

    def _attribute(self, attribute: str) -> str:
        """Return the placeholder of an attribute: a caller's text never becomes part of an expression."""
        for placeholder, known in self._names.items():
            if known == attribute:
                return placeholder
        placeholder = f"#s{len(self._names)}"
        self._names[placeholder] = attribute
        return placeholder

    def value(self, name: str, value: Any) -> str:
        """Return a placeholder for a value in the SDK's shape. The name may contain that of an attribute."""
        placeholder = f":{name.replace('#', '')}"
        self._values[placeholder] = value
        return placeholder

    def number(self, name: str, value: int) -> str:
        """Return a placeholder for a number."""
        # By far the most frequent kind, so it inlines `value` and `items.number`.
        placeholder = f":{name.replace('#', '')}"
        self._values[placeholder] = {"N": str(value)}
        return placeholder

    def require(self, condition: str) -> None:
        """Add a condition that must hold too."""
        self._conditions.append(condition)

    def set(self, path: str, expression: str) -> None:
        """Set a path to the value that the expression has before the write."""
        self._set.append(f"{path} = {expression}")

    def remove(self, path: str) -> None:
        """Remove a path, which need not exist."""
        self._remove.append(path)

    def add(self, attribute: str, difference: int) -> None:
        """Add to a number."""
        if difference:
            self._add.append(f"{attribute} {self.number(f'add_{attribute}', difference)}")

    def add_string(self, attribute: str, text: str) -> None:
        """Add a text to a set of strings, which may contain it already."""
        self._add.append(f"{attribute} {self.value(f'add_{attribute}', items.strings([text]))}")

    def request(self, table: str, user_id: str) -> dict[str, Any]:
        """Return the request."""
        clauses = []
        for word, parts in (("SET", self._set), ("REMOVE", self._remove), ("ADD", self._add)):
            if parts:
                clauses.append(f"{word} {', '.join(parts)}")
        request: dict[str, Any] = {
            "TableName": table,
            "Key": items.key(user_id),
            "UpdateExpression": " ".join(clauses),
            "ConditionExpression": " AND ".join(self._conditions),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if self._names:
            request["ExpressionAttributeNames"] = self._names
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request
