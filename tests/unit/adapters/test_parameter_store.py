from collections.abc import Mapping
from typing import Any

import pytest

from adapters.parameter_store import ParameterUnavailable, parameter


class Answering:
    """A Parameter Store that gives one answer to every call."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - one answer
        """Answer."""
        return self._answer

    def close(self) -> None:
        """Do nothing, because nothing is open."""


@pytest.mark.parametrize(
    "answer", [{}, {"Parameter": {}}, {"Parameter": {"Value": None}}, {"Parameter": {"Value": 1}}]
)
def test_an_answer_without_a_value_is_an_error(answer: Mapping[str, Any]) -> None:
    """An answer without a value is an error like any other, and is never used as a key."""
    with pytest.raises(ParameterUnavailable, match="without a value"):
        parameter("/key", Answering(answer))
