"""The counts that a newcomer takes a slot of, and how high each of them may be.

A newcomer takes one slot in several counts at once: in that of all the user's streams, in that of each group
that it is in and, where there are playback tokens, among the names that may have one (`domain.token_names`).
It gets in only where each of them has room. A write says of each count either how high it may be, whatever it
is by then, or what it was seen to be.
"""

from domain.values import value_object


@value_object
class Bound:
    """A count that must have room, for a write that has not seen the state.

    Attributes:
        limit: the count may be this once the newcomer is in; 0 admits nobody.
        group: whose streams are counted; `None` = all of the user's.
    """

    limit: int
    group: str | None = None


@value_object
class AsSeen:
    """A count that must be as it was seen: what it becomes was worked out from the leases of that state.

    Attributes:
        seen: the stored count.
        becomes: the count that the write leaves.
        group: whose streams are counted; `None` = all of the user's. Also `domain.group_counts.RECOUNTS`.
    """

    seen: int
    becomes: int
    group: str | None = None


Count = Bound | AsSeen
