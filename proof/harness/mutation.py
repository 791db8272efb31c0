"""Mutants: each is a bug in one place of the real code. The proofs must kill every one.

A mutant is enabled before the code is imported: the module's source is changed during the import.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Final


@dataclass(frozen=True)
class Mutant:
    """One bug.

    Attributes:
        module: the module with the bug.
        right: the present code, which occurs once.
        wrong: its replacement.
        killer: the proof that must find it.
    """

    module: str
    right: str
    wrong: str
    killer: str = "simulation"

    def mutate(self, source: str) -> str:
        """Return the module's source with the bug.

        Raises:
            ValueError: the present code does not occur exactly once.
        """
        if source.count(self.right) != 1:
            raise ValueError(f"{self.module} does not contain exactly one {self.right!r}")
        return source.replace(self.right, self.wrong)


MUTANT: Final = "MUTANT"
"""The environment variable that enables a mutant in every process of a run."""

EXPRESSIONS: Final = "adapters.dynamodb.expressions"
POLICY: Final = "domain.policy"
DECISIONS: Final = "domain.decisions"
ATTEMPT: Final = "domain.attempt"
EVICTION: Final = "domain.eviction"
GROUP_COUNTS: Final = "domain.group_counts"
GONE: Final = "domain.gone"

MUTANTS: Final = {
    "plain-add-without-bound": Mutant(EXPRESSIONS, "    update.require(bound)\n", ""),
    "evicts-although-a-slot-came-free": Mutant(
        DECISIONS, "as_seen if bound.group is None else bound for", "bound for", killer="faults"
    ),
    "at-most-for-below": Mutant(
        EXPRESSIONS,
        'bound = f"{attribute} < {update.number',
        'bound = f"{attribute} <= {update.number',
    ),
    "marks-not-required": Mutant(
        EXPRESSIONS, """    update.require(f"NOT {name} IN ({', '.join(items.MARKS)})")\n""", ""
    ),
    "mark-not-looked-up": Mutant(
        DECISIONS, "Settled(Outcome.REPLAYED) if request.mark in attempt.state.marks else None", "None"
    ),
    "marks-not-shifted": Mutant(
        EXPRESSIONS,
        'update.set(older, f"if_not_exists({newer}, {nothing})")',
        'update.set(older, f"if_not_exists({older}, {nothing})")',
    ),
    "ttl-trusted": Mutant(
        POLICY, "return lease.expires_at > self.latest_expired(now)", "return lease.expires_at > 0 * now"
    ),
    "reclaim-without-the-seen-expiry": Mutant(
        EXPRESSIONS,
        'update.require(f"{stream}.{items.EXPIRES_AT} = {seen}")',
        "update.require(f\"{stream}.{items.EXPIRES_AT} > {update.number('any', 0)}\")",
    ),
    "end-without-condition": Mutant(
        EXPRESSIONS,
        """    stream = update.stream(write.stream_id)
    update.require(f"attribute_exists({stream})")
    if write""",
        """    stream = update.stream(write.stream_id)
    update.require(f"attribute_exists({items.STREAM_COUNT})")
    if write""",
    ),
    "anonymous-end-below-zero": Mutant(
        EXPRESSIONS,
        "f\"{items.ANONYMOUS_COUNT} > {update.number('zero', 0)}\"",
        'f"attribute_exists({items.STREAM_COUNT})"',
    ),
    "grace-ignored": Mutant(POLICY, "return floor(now) - self.grace_seconds", "return floor(now)"),
    "second-write-first": Mutant(
        DECISIONS,
        "return Try(attempt.admit(), Outcome.ADMITTED)",
        "return Try(replace(attempt.admit(), counts=(Bound(CEILING),)), Outcome.ADMITTED)",
    ),
    "replaces-keeps-the-count": Mutant(
        EXPRESSIONS,
        "update.add(items.STREAM_COUNT, 1 - slots)",
        "update.add(items.STREAM_COUNT, 1 - len(freed.expired) - freed.anonymous.count)",
    ),
    "renewal-keeps-the-replaced-slot": Mutant(
        EXPRESSIONS,
        "        _free(update, Freed(ended=replaced))\n        update.add(items.STREAM_COUNT, -1)\n",
        "        _free(update, Freed(ended=replaced))\n",
    ),
    "timeout-swallowed": Mutant(
        "domain.limiter",
        "            if self.policy.on_store_failure is OnStoreFailure.CLOSED:\n"
        "                raise\n"
        "            blocked",
        "            blocked",
    ),
    "heartbeat-moves-back": Mutant(
        EXPRESSIONS, 'update.require(f"{expiry} <= {until}")', 'update.require(f"attribute_exists({expiry})")'
    ),
    "dead-lease-replayed": Mutant(
        DECISIONS,
        "    lease = attempt.live_own\n",
        "    lease = attempt.own\n",
    ),
    "evict-before-shadow": Mutant(
        DECISIONS,
        "        or _shadow(attempt)\n",
        "        or _evict(attempt)\n        or _shadow(attempt)\n",
    ),
    "dead-anonymous-slots-revived": Mutant(
        EXPRESSIONS,
        "if stream.presumed_expired is not None and not freed.anonymous.count:",
        "if False:",
    ),
    "crashed-streams-never-reclaimed": Mutant(DECISIONS, "        or _reclaim(attempt)\n", ""),
    "lease-overwritten-by-its-repeat": Mutant(
        EXPRESSIONS,
        'update.require(f"attribute_not_exists({stream})")\n    update.set',
        "pass\n    update.set",
    ),
    "names-without-bound": Mutant(
        EXPRESSIONS,
        "(attribute_exists({items.TOKENS}) AND {fewer})",
        "attribute_exists({items.TOKENS})",
    ),
    "one-name-too-many": Mutant(
        EXPRESSIONS, "size({items.TOKENS}) < {update", "size({items.TOKENS}) <= {update"
    ),
    "starting-name-not-counted": Mutant(EXPRESSIONS, "    update.add_string(items.TOKENS, own)\n", ""),
    "replaced-name-not-looked-up": Mutant(
        EXPRESSIONS,
        'update.require(f"contains({items.TOKENS}, {name})")',
        "pass",
        killer="model_based",
    ),
    "spent-token-left-by-its-next-start": Mutant(
        EXPRESSIONS, "        update.remove(spent)\n\n\ndef _require_room", "\n\ndef _require_room"
    ),
    "limit-of-zero-admits": Mutant(EXPRESSIONS, "if not slots and count.limit:", "if not slots:"),
    "own-name-not-looked-up": Mutant(EXPRESSIONS, "({is_counted} OR (", "((", killer="model_based"),
    "uncounted-streams-overlooked": Mutant(
        EXPRESSIONS,
        " OR (attribute_not_exists({items.TOKENS}) AND {nothing_to_count}))",
        " OR attribute_not_exists({items.TOKENS}))",
        killer="model_based",
    ),
    "heartbeat-without-a-counted-name": Mutant(
        EXPRESSIONS,
        "        update.require(is_counted)\n        return",
        "        return",
        killer="model_based",
    ),
    "later-token-forgotten": Mutant(
        EXPRESSIONS,
        '        update.require(f"(attribute_not_exists({spent}) OR {spent} <= {until})")\n',
        "",
    ),
    "later-token-refuses-its-own-name": Mutant(
        ATTEMPT,
        "until = max(lease_until, self.state.spent.get(name, lease_until))",
        "until = lease_until",
    ),
    "ended-name-not-kept": Mutant(
        EXPRESSIONS, '        update.set(update.spent(write.stream_id), f"{stream}.{items.EXPIRES_AT}")\n', ""
    ),
    "ended-name-not-counted": Mutant(
        EXPRESSIONS, "        update.add_string(items.TOKENS, write.stream_id)\n", "", killer="model_based"
    ),
    "replaced-name-not-kept": Mutant(
        EXPRESSIONS,
        'update.set(update.spent(stream.stream_id), f"{lease}.{items.EXPIRES_AT}")',
        "pass",
    ),
    "names-not-as-seen": Mutant(
        EXPRESSIONS,
        "update.require(f\"{items.TOKENS} = {update.value('seen_tokens', items.strings(seen))}\")",
        "pass",
    ),
    "spent-token-not-as-seen": Mutant(
        EXPRESSIONS,
        "update.require(f\"{spent} = {update.number(f'over{place}', token.expires_at)}\")",
        "pass",
    ),
    "spent-tokens-without-grace": Mutant(
        ATTEMPT,
        "latest_expired = self.policy.latest_expired(self.now)\n",
        "latest_expired = self.policy.latest_expired(self.now) + self.policy.grace_seconds\n",
    ),
    "put-off-too-late": Mutant(DECISIONS, "if too_many > 0:", "if too_many > 1:"),
    "put-off-without-the-grace": Mutant(
        DECISIONS,
        "return Postpone(over_last.expires_at + attempt.policy.grace_seconds)",
        "return Postpone(over_last.expires_at)",
        killer="model_checking",
    ),
    "evicts-for-any-number-of-names": Mutant(
        DECISIONS, "most = max(attempt.request.limit, attempt.live.count)", "most = CEILING"
    ),
    "ends-the-reloaded-page": Mutant(
        EXPRESSIONS,
        "        _require_play(update, stream, write.of_play)\n    _require_groups",
        "        pass\n    _require_groups",
    ),
    "expired-names-put-a-start-off": Mutant(
        ATTEMPT,
        "counts_names = self.policy.token_overlap is not None",
        "counts_names = False",
        killer="model_checking",
    ),
    "group-without-bound": Mutant(
        "domain.requests", "return (Bound(self.limit), *self.group_bounds)", "return (Bound(self.limit),)"
    ),
    "group-not-given-back": Mutant(
        EXPRESSIONS,
        "    for group in write.groups:\n        update.add(update.group(group), -1)\n",
        "",
    ),
    "ended-groups-not-required": Mutant(
        EXPRESSIONS, "    _require_groups(update, stream, write.groups)\n", ""
    ),
    "evicted-groups-not-required": Mutant(
        EXPRESSIONS, "        _require_groups(update, stream, ended.groups)\n", ""
    ),
    "expired-groups-not-given-back": Mutant(
        "domain.writes",
        "sum(group in stream.groups for stream in self.streams)",
        "sum(group in stream.groups for stream in self.ended)",
    ),
    "replaced-in-the-wrong-groups": Mutant(
        EXPRESSIONS,
        "differences.subtract(group_names(left))",
        "differences.subtract(tuple(joined) * len(left))",
    ),
    "group-count-not-as-seen": Mutant(
        EXPRESSIONS,
        "        _require_count(update, attribute, count.seen)\n        return",
        "        if count.group is None:\n"
        "            _require_count(update, attribute, count.seen)\n"
        "        return",
    ),
    "newcomer-not-counted-anew": Mutant(GROUP_COUNTS, " + (group in joined)", ""),
    "recounts-not-numbered": Mutant(
        GROUP_COUNTS, "if is_miscounted(state, groups):", "if False:", killer="model_checking"
    ),
    "wrong-count-kept": Mutant(
        GROUP_COUNTS, "state.leases_in(group) - freed", "state.count(group) - freed", killer="model_checking"
    ),
    "refused-for-a-wrong-count": Mutant(
        ATTEMPT, "else self.state.leases_in(group)", "else self.state.count(group)"
    ),
    "expired-in-a-group-never-reclaimed": Mutant(
        ATTEMPT, "not full.isdisjoint((None, *lease.groups))", "not full.isdisjoint((None,))"
    ),
    "refused-although-the-group-has-room": Mutant(
        ATTEMPT,
        "lacks = taken - free.slots_in(group) + 1 - bound.limit",
        "lacks = taken - free.slots_in(None) + 1 - bound.limit",
    ),
    "names-the-wrong-limit": Mutant(DECISIONS, "    return full\n\n\n", "    return bounds\n\n\n"),
    "evicts-the-oldest-of-any-group-too": Mutant(
        DECISIONS,
        "        return None\n    freed = ",
        "        return None\n"
        "    chosen = tuple(dict.fromkeys((*chosen, *attempt.evictable(free)[:1])))\n"
        "    freed = ",
    ),
    "evicts-more-than-the-fewest": Mutant(
        EVICTION,
        "if 1 + steps(place + 1, with_it) <= steps(place, needs):",
        "if any(needs):",
        killer="model_checking",
    ),
    "evicts-the-youngest": Mutant(
        EVICTION,
        "<= steps(place, needs):",
        "< steps(place + 1, needs):",
        killer="model_checking",
    ),
    "joins-no-other-groups": Mutant(
        ATTEMPT, "own.path_prefix,\n            groups=request.groups,\n", "own.path_prefix,\n"
    ),
    "other-groups-replayed": Mutant(
        DECISIONS,
        "if lease is None or lease.groups != request.groups:",
        "if lease is None:",
    ),
    "earlier-play-kept": Mutant(DECISIONS, "        and request.play in {None, lease.play}\n", ""),
    "evicted-reported-as-replaced": Mutant(
        GONE, "GoneReason.REPLACED if name == request.replaces else GoneReason.EVICTED", "GoneReason.REPLACED"
    ),
    "expired-reported-as-evicted": Mutant(
        GONE,
        "remembered(lease.stream_id, GoneReason.EXPIRED)",
        "remembered(lease.stream_id, GoneReason.EVICTED)",
    ),
    "name-remembered-for-ever": Mutant(
        GONE,
        "is_recent = situation.now - lease.started_at <= situation.policy.lease_seconds",
        "is_recent = True",
    ),
    "reason-for-a-stream-that-started-again": Mutant(
        DECISIONS,
        "        return Gone()  # the name",
        "        return Gone(*gone_reason(situation))  # the name",
    ),
    "by-the-newest-device": Mutant(
        GONE,
        "else lease.device\n",
        "else max(state.leases.values(), key=age).device\n",
    ),
}


def turn_on() -> None:
    """Enable the mutant that the environment names, if any; its module must not be imported yet."""
    name = os.environ.get(MUTANT)
    if not name:
        return
    mutant = MUTANTS[name]
    if mutant.module in sys.modules:
        raise RuntimeError(f"{mutant.module} was imported already")
    sys.meta_path.insert(0, _Finder(mutant))


class _Loader(SourceFileLoader):
    """A loader of a module with a bug, which ignores caches of compiled code."""

    mutant: Mutant

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader knows its one module
        source = self.get_data(self.path).decode()
        code: CodeType = compile(self.mutant.mutate(source), self.path, "exec")
        return code


class _Finder(MetaPathFinder):
    """A finder of the one module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module with its bug."""
        if fullname != self._mutant.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None  # noqa: S101 - the module is ours
        assert isinstance(spec.loader, SourceFileLoader)  # noqa: S101 - and in Python
        spec.loader = loader = _Loader(spec.loader.name, spec.loader.path)
        loader.mutant = self._mutant
        return spec
