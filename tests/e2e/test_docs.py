"""`make docs`, and the links of the documents that are not on its site."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from dev.docs import MKDOCS, SITE
from tests.support import skip_or_fail

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[2]
BESIDE: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "clients/js/README.md",
    "clients/python/README.md",
)


def test_the_site_is_built_and_no_link_leads_nowhere() -> None:
    """Strictly: a link to a page or a heading that is not there fails it. It asks nothing of another host."""
    if not MKDOCS.exists():
        skip_or_fail("MkDocs is not installed: `make docs` installs it.")
    if shutil.which("npm") is None:
        skip_or_fail("npm is not installed: it fetches the diagrams' script.")
    run = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    html = "".join(page.read_text(encoding="utf-8") for page in SITE.rglob("*.html"))
    assert (
        re.findall(
            r"<(?:script|img|iframe|link rel=.stylesheet.)[^>]*(?:src|href)=.(https?://[^\"' ]+)", html
        )
        == []
    )
    assert 'class="mermaid"' in html
    assert "swagger-ui" in html


@pytest.mark.parametrize("document", BESIDE)
def test_the_documents_beside_the_site_lead_somewhere(document: str) -> None:
    """Each relative link is a file that is there."""
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    missing = [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]
    assert missing == []
