"""A domain write as one `UpdateItem` request: what it changes, and on what condition.

The condition says what `domain.writes.permits` says, the update what `domain.writes.after` says.
"""

from typing import Any, assert_never

from adapters.dynamodb import items
from domain.streams import AnonymousSlots, Lease
from domain.writes import (
    Admit,
    AnonymousStream,
    Extend,
    Freed,
    Release,
    ReleaseAnonymous,
    Repair,
    Write,
)


def update_request(table: str, write: Write) -> dict[str, Any]:
    """The arguments of the one `update_item` call that makes this write."""
    update = _Update()
    match write:
        case Admit():
            _admit(update, write)
        case Extend():
            _extend(update, write)
        case Release():
            stream = update.stream(write.stream_id)
            update.require(f"attribute_exists({stream})")
            update.remove(stream)
            update.add(items.STREAM_COUNT, -1)
        case ReleaseAnonymous():
            update.require(f"{items.ANONYMOUS_COUNT} > {update.number('zero', 0)}")
            _remember(update, write.mark)
            update.add(items.STREAM_COUNT, -1)
            update.add(items.ANONYMOUS_COUNT, -1)
        case Repair():
            _repair(update, write)
        case _:
            assert_never(write)
    _retain(update, write.retain_until)
    return update.request(table, write.user_id)


class _Update:
    """Collects the parts of one `UpdateItem` request, and names and values as they are needed."""

    def __init__(self) -> None:
        self._set: list[str] = []
        self._remove: list[str] = []
        self._add: list[str] = []
        self._conditions: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def stream(self, stream_id: str) -> str:
        """A placeholder for a stream's attribute: a caller's text never becomes part of an expression."""
        attribute = items.stream_attribute(stream_id)
        for placeholder, known in self._names.items():
            if known == attribute:
                return placeholder
        placeholder = f"#s{len(self._names)}"
        self._names[placeholder] = attribute
        return placeholder

    def value(self, name: str, value: Any) -> str:
        """A placeholder for a value in the SDK's shape."""
        self._values[f":{name}"] = value
        return f":{name}"

    def number(self, name: str, value: int) -> str:
        """A placeholder for a number."""
        return self.value(name, items.number(value))

    def require(self, condition: str) -> None:
        self._conditions.append(condition)

    def set(self, path: str, expression: str) -> None:
        self._set.append(f"{path} = {expression}")

    def remove(self, path: str) -> None:
        self._remove.append(path)

    def add(self, attribute: str, difference: int) -> None:
        if difference:
            self._add.append(f"{attribute} {self.number(f'add_{attribute}', difference)}")

    def request(self, table: str, user_id: str) -> dict[str, Any]:
        clauses = (("SET", self._set), ("REMOVE", self._remove), ("ADD", self._add))
        request = {
            "TableName": table,
            "Key": items.key(user_id),
            "UpdateExpression": " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses if parts),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return {name: argument for name, argument in request.items() if argument}


def _admit(update: _Update, write: Admit) -> None:
    freed = write.freed
    if isinstance(write.newcomer, Lease):
        _enter_named(update, write.newcomer, freed)
    else:
        _enter_anonymous(update, write.newcomer, freed)
    _free(update, freed, keep=write.newcomer.stream_id if isinstance(write.newcomer, Lease) else None)
    _require_room(update, write)
    update.add(items.STREAM_COUNT, 1 - freed.slots)


def _require_room(update: _Update, write: Admit) -> None:
    slots = write.freed.slots
    if write.tight:
        _require_count(update, items.STREAM_COUNT, write.limit - 1 + slots)
        return
    bound = f"{items.STREAM_COUNT} < {update.number('bound', write.limit + slots)}"
    if not slots and write.limit:  # a user without any state has room, unless nobody has
        bound = f"(attribute_not_exists({items.STREAM_COUNT}) OR {bound})"
    update.require(bound)


def _enter_named(update: _Update, lease: Lease, freed: Freed) -> None:
    stream = update.stream(lease.stream_id)
    if lease.stream_id not in freed.names:  # else its own dead lease, overwritten as it was seen
        update.require(f"attribute_not_exists({stream})")
    update.set(stream, update.value("lease", items.lease_value(lease)))
    if freed.anonymous.count:
        update.add(items.ANONYMOUS_COUNT, -freed.anonymous.count)


def _enter_anonymous(update: _Update, stream: AnonymousStream, freed: Freed) -> None:
    _remember(update, stream.mark)
    update.add(items.ANONYMOUS_COUNT, 1 - freed.anonymous.count)
    if stream.presumed_over is not None and not freed.anonymous.count:
        over = update.number("over", stream.presumed_over)
        zero = update.number("zero", 0)
        update.require(
            f"(attribute_not_exists({items.ANONYMOUS_COUNT}) OR {items.ANONYMOUS_COUNT} = {zero}"
            f" OR {items.ANONYMOUS_EXPIRES_AT} > {over})"
        )
    if stream.expires_at is None:
        update.remove(items.ANONYMOUS_EXPIRES_AT)
    else:
        update.set(items.ANONYMOUS_EXPIRES_AT, update.number("until", stream.expires_at))


def _free(update: _Update, freed: Freed, *, keep: str | None = None) -> None:
    """Remove the freed leases on the condition that they are as stated; `keep` is overwritten instead."""
    for place, lease in enumerate(freed.expired):
        stream = update.stream(lease.stream_id)
        seen = update.number(f"seen{place}", lease.expires_at)
        update.require(f"{stream}.{items.EXPIRES_AT} = {seen}")
        if lease.stream_id != keep:
            update.remove(stream)
    for stream_id in freed.ended:
        stream = update.stream(stream_id)
        update.require(f"attribute_exists({stream})")
        update.remove(stream)
    if freed.anonymous.count:
        _require_anonymous(update, freed.anonymous)


def _require_anonymous(update: _Update, seen: AnonymousSlots) -> None:
    _require_count(update, items.ANONYMOUS_COUNT, seen.count)
    if seen.expires_at is None:
        update.require(f"attribute_not_exists({items.ANONYMOUS_EXPIRES_AT})")
    else:
        update.require(f"{items.ANONYMOUS_EXPIRES_AT} = {update.number('seen_until', seen.expires_at)}")


def _require_count(update: _Update, attribute: str, seen: int) -> None:
    as_seen = f"{attribute} = {update.number(f'seen_{attribute}', seen)}"
    update.require(as_seen if seen else f"(attribute_not_exists({attribute}) OR {as_seen})")


def _extend(update: _Update, write: Extend) -> None:
    stream = update.stream(write.stream_id)
    expiry = f"{stream}.{items.EXPIRES_AT}"
    until = update.number("until", write.expires_at)
    update.require(f"attribute_exists({stream})")
    update.require(f"{expiry} <= {until}")
    update.set(expiry, until)
    if write.replaces is not None:
        replaced = update.stream(write.replaces)
        update.require(f"attribute_exists({replaced})")
        update.remove(replaced)
        update.add(items.STREAM_COUNT, -1)


def _repair(update: _Update, write: Repair) -> None:
    _require_count(update, items.STREAM_COUNT, write.seen.stream_count)
    _require_anonymous(update, write.seen.anonymous)
    _free(update, Freed(expired=write.expired.expired))
    update.add(items.STREAM_COUNT, write.correction)
    update.add(items.ANONYMOUS_COUNT, -write.expired.anonymous.count)


def _remember(update: _Update, mark: str) -> None:
    """Require that the mark is not remembered, and shift it into the register of the latest ones."""
    newest, *_ = items.MARKS
    name = update.value("mark", items.string(mark))
    update.require(f"NOT {name} IN ({', '.join(items.MARKS)})")
    nothing = update.value("nothing", items.string(""))
    for older, newer in zip(items.MARKS[1:], items.MARKS, strict=False):
        update.set(older, f"if_not_exists({newer}, {nothing})")  # a SET reads the values from before
    update.set(newest, name)


def _retain(update: _Update, until: int | None) -> None:
    if until is None:
        update.remove(items.EXPIRES_AT)
    else:
        update.set(items.EXPIRES_AT, update.number("retain", until))
