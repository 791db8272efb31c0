"""Lambda's side of a stage: the versions of its functions, and their aliases."""

from itertools import count
from typing import Any

from dev.operate.rollback import Function, move, previous_release, read


class Lambda:
    """Lambda's versions and aliases of one stage's functions, in its own shape."""

    class exceptions:  # noqa: N801 - boto3's name for it
        """The errors that it raises."""

        class ResourceConflictException(Exception):
            """The alias exists already."""

    def __init__(self, *functions: str) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {name: [] for name in functions}
        self.aliases: dict[str, dict[str, str]] = {name: {} for name in functions}
        self.weights: dict[str, dict[str, float]] = {}
        self._time = count(1)

    def publish(self, release: str, *functions: str) -> None:
        """Publish a version of these functions, or of all."""
        for name in functions or self.versions:
            version = {
                "Version": str(1 + max(self.numbers(name), default=0)),
                "LastModified": f"2026-11-24T00:00:{next(self._time):02}.000+0000",
                "CodeSha256": release,
                "Environment": {"Variables": {"MAX_STREAMS": "3"}},
            }
            self.versions[name].append(version)

    def deploy(self, release: str, *functions: str) -> None:
        """Publish, and make it live."""
        self.publish(release, *functions)
        for name in functions or self.versions:
            self.aliases[name]["live"] = self.versions[name][-1]["Version"]

    def functions(self) -> list[Function]:
        """Return all functions, as they are read."""
        return [read(self, name) for name in self.versions]

    def roll_back(self) -> None:
        """Roll back as the command does."""
        for function, version in previous_release(self.functions()):
            move(self, function, version)

    def live(self) -> list[str]:
        """Return the release that is live, by function."""
        return [
            version["CodeSha256"]
            for name, versions in self.versions.items()
            for version in versions
            if version["Version"] == self.aliases[name]["live"]
        ]

    def numbers(self, function: str) -> list[int]:
        """Return a function's versions."""
        return [int(version["Version"]) for version in self.versions[function]]

    def get_paginator(self, operation: str) -> Any:
        """Return its lists, on one page."""
        latest = {"Version": "$LATEST", "LastModified": "", "CodeSha256": ""}

        class Pages:
            @staticmethod
            def paginate(FunctionName: str) -> list[dict[str, Any]]:  # noqa: N803 - AWS's name
                if operation == "list_versions_by_function":
                    return [{"Versions": [latest, *self.versions[FunctionName]]}]
                weights = {"AdditionalVersionWeights": self.weights.get(FunctionName, {})}
                aliases = self.aliases[FunctionName].items()
                return [
                    {
                        "Aliases": [
                            {"Name": name, "FunctionVersion": version, "RoutingConfig": weights}
                            for name, version in aliases
                        ]
                    }
                ]

        return Pages

    def update_alias(self, **request: str) -> None:
        """Move an alias."""
        self.aliases[request["FunctionName"]][request["Name"]] = request["FunctionVersion"]

    def create_alias(self, **request: str) -> None:
        """Create an alias; raise an error if the name exists."""
        if request["Name"] in self.aliases[request["FunctionName"]]:
            raise self.exceptions.ResourceConflictException
        self.update_alias(**request)

    def delete_alias(self, FunctionName: str, Name: str) -> None:  # noqa: N803 - AWS's names
        """Delete an alias."""
        del self.aliases[FunctionName][Name]

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:  # noqa: N803 - AWS's names
        """Delete a version, which must have no alias."""
        if Qualifier in self.aliases[FunctionName].values():
            raise self.exceptions.ResourceConflictException
        versions = self.versions[FunctionName]
        versions.remove(next(version for version in versions if version["Version"] == Qualifier))
