"""Code from before groups, next to code that has them.

It reads a state without its groups, starts no stream in any group, and its writes neither check nor count
them. So a stream that it ends leaves the counts of its groups too high.
"""

from dataclasses import dataclass, replace

from domain.streams import Snapshot
from domain.transitions import after, permits
from domain.writes import Admit, Write


@dataclass(frozen=True, slots=True)
class Blind:
    """A write of code without groups."""

    write: Write


Step = Write | Blind


def lands(state: Snapshot, step: Step) -> bool:
    """Return whether the store accepts this write."""
    return permits(without_groups(state), step.write) if isinstance(step, Blind) else permits(state, step)


def left(state: Snapshot, step: Step) -> Snapshot:
    """Return the state that this write leaves."""
    if not isinstance(step, Blind):
        return after(state, step)
    result = after(without_groups(state), step.write)
    newcomer = step.write.newcomer if isinstance(step.write, Admit) else None
    leases = {
        name: replace(lease, displaced=())
        if lease == newcomer
        else replace(lease, groups=state.leases[name].groups, displaced=state.leases[name].displaced)
        for name, lease in result.leases.items()
    }
    return replace(result, leases=leases, groups=state.groups)


def without_groups(state: Snapshot) -> Snapshot:
    """Return a state as this code reads it: without groups, and without the streams that leases displaced."""
    leases = {name: replace(lease, groups=(), displaced=()) for name, lease in state.leases.items()}
    return replace(state, leases=leases, groups={})
