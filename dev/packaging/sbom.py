"""The contents of a zip for Lambda as a CycloneDX list: the same zip gives the same list."""

import hashlib
import tomllib
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from dev import ROOT

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""The time of every entry of the zip, to hide when it was built."""


def sbom(zipped: Path) -> str:
    """Return the list as JSON: the zip with its hash, and each distribution in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    digest = hashlib.sha256(zipped.read_bytes()).hexdigest()
    service = Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        version=project["version"],
        bom_ref=project["name"],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
    parts = [_component(found) for found in distributions(path=[str(zipped)])]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest),
        metadata=BomMetaData(component=service, timestamp=EARLIEST),
        components=parts,
    )
    bom.register_dependency(service, parts)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def _component(found: Distribution) -> Component:
    name, version = found.metadata["Name"], found.version
    licence = found.metadata["License-Expression"] or found.metadata["License"]
    purl = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=str(purl),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )
