from domain.bounds import Bound
from domain.streams import Lease
from domain.values import value_object


@value_object
class Twin:
    """A value with the fields of `Bound`."""

    limit: int
    group: str | None = None


def test_values_are_equal_by_content_and_kind() -> None:
    """Two values are equal if kind and content are the same, also in a set."""
    assert Bound(3, "uhd") == Bound(3, "uhd")
    assert Bound(3) != Bound(2)
    assert len({Bound(3), Bound(3), Bound(2), Twin(3)}) == 3


def test_values_have_only_their_fields() -> None:
    """A value holds nothing but its fields."""
    assert not hasattr(Lease("tv", 1, 2), "__dict__")
