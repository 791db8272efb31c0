from typing import Any

import pytest

from dev.scan.branches import shortfalls


def report(domain: int, adapters: int) -> dict[str, Any]:
    """Return a report in which the tests take these of each package's 1,000 branches."""
    covered = {
        "src/domain/policy.py": domain,
        "src/adapters/clock.py": adapters,
        "src/entrypoints/route.py": 0,
    }
    return {
        "files": {
            name: {"summary": {"num_branches": 1000, "covered_branches": branches}}
            for name, branches in covered.items()
        }
    }


def test_a_report_at_98_percent_passes() -> None:
    """A report at the floor passes, whatever other packages miss."""
    assert shortfalls(report(980, 980)) == []


@pytest.mark.parametrize(("domain", "adapters", "package"), [(979, 1000, "domain"), (1000, 979, "adapters")])
def test_a_package_below_the_floor_is_named(domain: int, adapters: int, package: str) -> None:
    """Branches of one package do not make up for those of the other."""
    (sentence,) = shortfalls(report(domain, adapters))

    assert f"979 of the 1000 branches of src/{package}" in sentence


def test_a_report_without_the_packages_fails() -> None:
    """A report of other files is below the floor, not above it."""
    assert len(shortfalls({"files": {}})) == 2
