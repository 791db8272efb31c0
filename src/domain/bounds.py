"""The counts that a newcomer adds to, and the bound of each.

A newcomer adds one to several counts at once: the count of all the user's streams, that of each group that it
is in and, with playback tokens, the names that may have one (`domain.token_names`). It is admitted only where
each of them has room. A write states for each count either its bound, whatever the count is by then, or the
value that was seen.
"""

from domain.values import value_object


@value_object
class Bound:
    """The bound of a count, for a write that has not seen the state.

    Attributes:
        limit: the highest value of the count, including the newcomer; 0 admits no stream.
        group: the group whose streams are counted; `None` = all of the user's.
    """

    limit: int
    group: str | None = None


@value_object
class AsSeen:
    """The value that a count had, for a write that was decided from the leases of that state.

    Attributes:
        seen: the stored count.
        becomes: the count that the write leaves.
        group: the group whose streams are counted, or `domain.group_counts.RECOUNTS`; `None` = all of the
            user's.
    """

    seen: int
    becomes: int
    group: str | None = None


Count = Bound | AsSeen
