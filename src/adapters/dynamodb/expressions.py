"""A domain write as one `UpdateItem` request with a condition.

The condition is that of `domain.transitions.permits`, the update that of `domain.transitions.after`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, assert_never

from adapters.dynamodb import items
from adapters.dynamodb.update import Update
from domain.bounds import AsSeen, Count
from domain.streams import AnonymousSlots, Lease
from domain.token_names import Counted, Names, Recounted
from domain.writes import (
    NOTHING,
    Admit,
    AnonymousStream,
    Ended,
    Extend,
    Freed,
    Release,
    ReleaseAnonymous,
    Repair,
    Write,
    group_names,
)


def update_request(table: str, write: Write) -> dict[str, Any]:
    """Return the `UpdateItem` request that makes this write."""
    update = Update()
    match write:
        case Admit():
            _admit(update, write)
        case Extend():
            _extend(update, write)
        case Release():
            _release(update, write)
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


def _admit(update: Update, write: Admit) -> None:
    freed = write.freed
    if isinstance(write.newcomer, Lease):
        _enter_named(update, write.newcomer, freed)
    else:
        _enter_anonymous(update, write.newcomer, freed)
    own = write.newcomer.stream_id if isinstance(write.newcomer, Lease) else None
    _free(update, freed, keep=own)
    for count in write.counts:
        _require_room(update, count, freed)
    slots = freed.slots
    update.add(items.STREAM_COUNT, 1 - slots)
    joined = write.newcomer.groups
    if joined or slots or len(write.counts) > 1:
        _count_groups(update, joined, freed.streams, write.counts)
    if write.names is None:
        return
    _count_names(update, write.names, own, freed.ended)
    if isinstance(write.newcomer, Lease):  # the last token of the name may outlive its lease
        spent = update.spent(write.newcomer.stream_id)
        until = update.number("until", write.newcomer.expires_at)
        update.require(f"(attribute_not_exists({spent}) OR {spent} <= {until})")
        update.remove(spent)


def _require_room(update: Update, count: Count, freed: Freed) -> None:
    attribute = items.STREAM_COUNT if count.group is None else update.group(count.group)
    if isinstance(count, AsSeen):
        _require_count(update, attribute, count.seen)
        return
    slots = freed.slots if count.group is None else freed.slots_in(count.group)
    name = "bound" if count.group is None else f"bound_{attribute}"
    bound = f"{attribute} < {update.number(name, count.limit + slots)}"
    if not slots and count.limit:  # an absent count has room, unless the limit is 0
        bound = f"(attribute_not_exists({attribute}) OR {bound})"
    update.require(bound)


def _count_groups(
    update: Update, joined: Sequence[str], left: Sequence[Lease | Ended], counts: Sequence[Count] = ()
) -> None:
    """Count the groups that a stream joins and those that others leave, or set recounted counts."""
    recounted = {
        count.group: count.becomes
        for count in counts
        if isinstance(count, AsSeen) and count.group is not None
    }
    differences = Counter(joined)
    differences.subtract(group_names(left))
    changed = [group for group, difference in differences.items() if difference]
    for group in sorted({*changed, *recounted}):  # DynamoDB rejects a request with an unused name
        attribute = update.group(group)
        if group not in recounted:
            update.add(attribute, differences[group])
        elif recounted[group]:
            update.set(attribute, update.number(f"count_{attribute}", recounted[group]))
        else:
            update.remove(attribute)


def _enter_named(update: Update, lease: Lease, freed: Freed) -> None:
    stream = update.stream(lease.stream_id)
    if freed is NOTHING or lease.stream_id not in freed.names:  # else overwrite its own lease as it was seen
        update.require(f"attribute_not_exists({stream})")
    update.set(stream, update.value("lease", items.lease_value(lease)))
    if freed.anonymous.count:
        update.add(items.ANONYMOUS_COUNT, -freed.anonymous.count)


def _enter_anonymous(update: Update, stream: AnonymousStream, freed: Freed) -> None:
    _remember(update, stream.mark)
    update.add(items.ANONYMOUS_COUNT, 1 - freed.anonymous.count)
    if stream.presumed_expired is not None and not freed.anonymous.count:
        expired = update.number("over", stream.presumed_expired)
        zero = update.number("zero", 0)
        update.require(
            f"(attribute_not_exists({items.ANONYMOUS_COUNT}) OR {items.ANONYMOUS_COUNT} = {zero}"
            f" OR {items.ANONYMOUS_EXPIRES_AT} > {expired})"
        )
    if stream.expires_at is None:
        update.remove(items.ANONYMOUS_EXPIRES_AT)
    else:
        update.set(items.ANONYMOUS_EXPIRES_AT, update.number("until", stream.expires_at))


def _free(update: Update, freed: Freed, *, keep: str | None = None) -> None:
    """Remove the freed leases on the condition that they are as stated. `keep` is overwritten instead."""
    for place, lease in enumerate(freed.expired):
        stream = update.stream(lease.stream_id)
        seen = update.number(f"seen{place}", lease.expires_at)
        update.require(f"{stream}.{items.EXPIRES_AT} = {seen}")
        _require_groups(update, stream, lease.groups)
        if lease.stream_id != keep:
            update.remove(stream)
    for ended in freed.ended:
        stream = update.stream(ended.stream_id)
        update.require(f"attribute_exists({stream})")
        _require_groups(update, stream, ended.groups)
        update.remove(stream)
    if freed.anonymous.count:
        _require_anonymous(update, freed.anonymous)


def _require_groups(update: Update, stream: str, groups: Sequence[str]) -> None:
    """Require that a stream is in exactly these groups, as the count of each is lowered."""
    if groups:
        value = update.value(f"groups_{stream}", items.groups(groups))
        update.require(f"{stream}.{items.GROUPS} = {value}")
    else:
        update.require(f"attribute_not_exists({stream}.{items.GROUPS})")


def _require_anonymous(update: Update, seen: AnonymousSlots) -> None:
    _require_count(update, items.ANONYMOUS_COUNT, seen.count)
    if seen.expires_at is None:
        update.require(f"attribute_not_exists({items.ANONYMOUS_EXPIRES_AT})")
    else:
        update.require(f"{items.ANONYMOUS_EXPIRES_AT} = {update.number('seen_until', seen.expires_at)}")


def _require_count(update: Update, attribute: str, seen: int) -> None:
    as_seen = f"{attribute} = {update.number(f'seen_{attribute}', seen)}"
    update.require(as_seen if seen else f"(attribute_not_exists({attribute}) OR {as_seen})")


def _extend(update: Update, write: Extend) -> None:
    stream = update.stream(write.stream_id)
    expiry = f"{stream}.{items.EXPIRES_AT}"
    until = update.number("until", write.expires_at)
    update.require(f"attribute_exists({stream})")
    update.require(f"{expiry} <= {until}")
    if write.of_play is not None:
        _require_play(update, stream, write.of_play)
    update.set(expiry, until)
    for field, text in ((items.PLAY, write.play), (items.PATH_PREFIX, write.path_prefix)):
        if text is not None:
            update.set(f"{stream}.{field}", update.value(field, items.string(text)))
    if write.displaced:
        update.set(f"{stream}.{items.DISPLACED}", update.value("displaced", items.displaced(write.displaced)))
    replaced: tuple[Ended, ...] = ()
    if write.replaces is not None:
        replaced = (write.replaces,)
        _free(update, Freed(ended=replaced))
        update.add(items.STREAM_COUNT, -1)
        _count_groups(update, (), (write.replaces,))
    if write.names is not None:
        _count_names(update, write.names, write.stream_id, replaced)


def _release(update: Update, write: Release) -> None:
    stream = update.stream(write.stream_id)
    update.require(f"attribute_exists({stream})")
    if write.of_play is not None:
        _require_play(update, stream, write.of_play)
    _require_groups(update, stream, write.groups)
    update.remove(stream)
    update.add(items.STREAM_COUNT, -1)
    for group in write.groups:
        update.add(update.group(group), -1)
    if write.spends:
        update.set(update.spent(write.stream_id), f"{stream}.{items.EXPIRES_AT}")
        update.add_string(items.TOKENS, write.stream_id)


def _require_play(update: Update, stream: str, play: str) -> None:
    """Require that a stream is of this play, or of an unknown one."""
    is_same_play = f"{stream}.{items.PLAY} = {update.value('of_play', items.string(play))}"
    update.require(f"(attribute_not_exists({stream}.{items.PLAY}) OR {is_same_play})")


def _repair(update: Update, write: Repair) -> None:
    freed = write.freed
    _require_count(update, items.STREAM_COUNT, write.seen.stream_count)
    _require_anonymous(update, write.seen.anonymous)
    _free(update, Freed(freed.expired, freed.ended))
    update.add(items.STREAM_COUNT, write.correction)
    update.add(items.ANONYMOUS_COUNT, -freed.anonymous.count)
    for count in write.groups:
        _require_room(update, count, freed)
    _count_groups(update, (), freed.streams, write.groups)
    if write.names is not None:
        _count_names(update, write.names, None, freed.ended)


def _count_names(update: Update, names: Names, own: str | None, ended: Sequence[Ended]) -> None:
    """Count the name of the write's own stream, and keep the names of the streams that it ends."""
    match names:
        case Counted(bound):
            for place, stream in enumerate(ended):
                name = update.value(f"ended{place}", items.string(stream.stream_id))
                update.require(f"contains({items.TOKENS}, {name})")
            if own is not None:
                _count_own_name(update, own, bound)
        case Recounted(seen, counted, forgotten):
            if seen is None:
                update.require(f"attribute_not_exists({items.TOKENS})")
            else:
                update.require(f"{items.TOKENS} = {update.value('seen_tokens', items.strings(seen))}")
            for place, token in enumerate(forgotten):
                spent = update.spent(token.stream_id)
                update.require(f"{spent} = {update.number(f'over{place}', token.expires_at)}")
                update.remove(spent)
            if counted:
                update.set(items.TOKENS, update.value("tokens", items.strings(counted)))
            else:
                update.remove(items.TOKENS)  # DynamoDB has no empty set
    for stream in ended:
        lease = update.stream(stream.stream_id)
        update.set(update.spent(stream.stream_id), f"{lease}.{items.EXPIRES_AT}")


def _count_own_name(update: Update, own: str, bound: int) -> None:
    is_counted = f"contains({items.TOKENS}, {update.value('own', items.string(own))})"
    if not bound:
        update.require(is_counted)
        return
    fewer = f"size({items.TOKENS}) < {update.number('names', bound)}"
    nothing_to_count = (
        f"(attribute_not_exists({items.STREAM_COUNT}) OR {items.STREAM_COUNT} = {update.number('zero', 0)})"
    )
    update.require(
        f"({is_counted} OR (attribute_exists({items.TOKENS}) AND {fewer})"
        f" OR (attribute_not_exists({items.TOKENS}) AND {nothing_to_count}))"
    )
    update.add_string(items.TOKENS, own)


def _remember(update: Update, mark: str) -> None:
    """Require that the mark is not remembered, and shift it into the register of the latest ones."""
    newest, *_ = items.MARKS
    name = update.value("mark", items.string(mark))
    update.require(f"NOT {name} IN ({', '.join(items.MARKS)})")
    nothing = update.value("nothing", items.string(""))
    for older, newer in zip(items.MARKS[1:], items.MARKS, strict=False):
        update.set(older, f"if_not_exists({newer}, {nothing})")  # SET reads the old values
    update.set(newest, name)


def _retain(update: Update, until: int | None) -> None:
    if until is None:
        update.remove(items.EXPIRES_AT)
    else:
        update.set(items.EXPIRES_AT, update.number("retain", until))
