"""Value objects: what the domain computes with, compared by content and never changed."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(cls: type[T]) -> type[T]:
    """Make a class of value objects: a dataclass with slots, whose fields the type checker holds read-only.

    `dataclass(frozen=True)` also checks while the program runs, and sets each field in four times the time.
    A request makes some twenty such objects: docs/adr/0013-hot-path.md.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
