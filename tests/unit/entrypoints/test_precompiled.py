import dataclasses
import marshal
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.precompiled import use_precompiled


@pytest.fixture(autouse=True)
def _dataclasses_as_before() -> Iterator[None]:
    """Restore the module afterwards."""
    yield
    vars(dataclasses).pop("exec", None)


def test_a_precompiled_source_is_not_compiled(tmp_path: Path) -> None:
    """The file's code is used for its source, whatever it is, and any other source is compiled."""
    file = tmp_path / "dataclasses"
    file.write_bytes(marshal.dumps({"a = 1": compile("a = 2", "<string>", "exec")}))
    found: dict[str, int] = {}

    use_precompiled(file)
    vars(dataclasses)["exec"]("a = 1", {}, found)
    vars(dataclasses)["exec"]("b = 3", {}, found)

    assert found == {"a": 2, "b": 3}


def test_nothing_changes_without_the_file(tmp_path: Path) -> None:
    """A working copy has no such file, and nothing changes."""
    use_precompiled(tmp_path / "dataclasses")

    assert "exec" not in vars(dataclasses)
