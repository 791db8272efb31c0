"""Value objects: the domain's data, compared by content and never changed."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(cls: type[T]) -> type[T]:
    """Make a class of value objects: a dataclass with slots, read-only for the type checker.

    `dataclass(frozen=True)` also checks at run time, which makes setting a field four times as slow. A
    request makes about twenty such objects: docs/adr/0013-hot-path.md.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
