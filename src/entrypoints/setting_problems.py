"""Errors of settings, as one sentence each: the variable and its rule.

No sentence quotes a value, which may be a secret.
"""

from collections.abc import Mapping
from typing import Any, Final

MUST_BE: Final = {
    "missing": "is required",
    "enum": "must be {choices}",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have a length of at most {max_length}, not {actual_length}",
    "string_pattern_mismatch": "must be {form}",
    "string_unicode": "must be valid Unicode text",
}
"""By pydantic's type of error; `{names}` are of its context."""


def sentence(problem: Mapping[str, Any], forms: Mapping[str, str]) -> str:
    """Return one of pydantic's errors as a sentence.

    Args:
        problem: the error.
        forms: each pattern in words.
    """
    context = problem.get("ctx", {})
    cause = context.get("error")
    if not problem["loc"]:  # settings that do not fit together: the cause names them
        return f"{cause}."
    name = ".".join(map(str, problem["loc"]))
    if cause is not None:
        return f"{name} is not valid: {cause}."
    words = {
        **context,
        "choices": str(context.get("expected")).replace("'", ""),
        "form": forms.get(str(context.get("pattern"))),
    }
    return f"{name} {MUST_BE.get(problem['type'], 'is not valid').format(**words)}."
