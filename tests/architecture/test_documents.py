"""The documents say what the code does."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from adapters.dynamodb import items
from bench.capacity import EVENING, Audience, capacity, load_prices, month
from bench.price import at_its_cheapest, by_default, price
from dev.generate import terraform_docs
from domain.group_counts import RECOUNTS
from entrypoints.problems import RULES
from entrypoints.settings import Settings
from tests.support.documented import DOCS, rows

ROOT = DOCS.parent
BESIDE = [
    *ROOT.glob("*.md"),
    *(
        readme
        for place in ("clients/*", "examples/*", "terraform", "tests")
        for readme in ROOT.glob(f"{place}/README.md")
    ),
]
"""The documents that `make docs` does not check."""

PAGES = [*BESIDE, *DOCS.rglob("*.md")]
FOLDERS = [ROOT, ROOT / "src", ROOT / "terraform", *(ROOT / "src").rglob("*/")]
"""The beginnings that a document may leave off a path."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def code(page: Path) -> str:
    """Return the code of a page: blocks, and spans of a line."""
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented_with_its_default(name: str) -> None:
    """Each setting is documented, with its default where that is a fixed value."""
    documented = {cells[0].strip("`"): cells[1] for cells in rows("configuration.md", "variable")}
    assert name.upper() in documented
    default = Settings.model_fields[name].default
    if isinstance(default, int | str):
        shown = str(default).lower() if isinstance(default, bool) else default
        assert documented[name.upper()] == f"`{shown}`"


def test_every_documented_setting_exists() -> None:
    """Each row of the page is a setting of the service."""
    documented = {cells[0].strip("`").lower() for cells in rows("configuration.md", "variable")}
    assert documented <= set(Settings.model_fields)


def test_each_problem_is_documented_with_its_status() -> None:
    """The page lists the codes of the one table of problems, and no others."""
    documented = {(int(cells[0]), cells[1].strip("`")) for cells in rows("api.md", "status")}
    assert documented == {(rule.status.value, rule.code) for rule in RULES.values()}


def test_each_attribute_of_the_item_is_documented() -> None:
    """The page has one row per attribute that the adapter reads and writes."""
    documented = {cells[0] for cells in rows("store.md", "attribute")}
    attributes = (
        *(items.USER_ID, items.STREAM_COUNT, items.ANONYMOUS_COUNT, items.ANONYMOUS_EXPIRES_AT),
        *(
            items.EXPIRES_AT,
            items.TOKENS,
            f"{items.STREAM_PREFIX}<streamId>",
            f"{items.SPENT_PREFIX}<streamId>",
            f"{items.GROUP_PREFIX}<name>",
            f"{items.GROUP_PREFIX}{RECOUNTS}",
        ),
    )
    expected = {f"`{name}`" for name in attributes}
    assert documented == expected | {f"`{items.MARKS[0]}` … `{items.MARKS[-1]}`"}


def test_the_documented_inputs_and_outputs_match_the_module() -> None:
    """Every variable and output is documented as the code has it; otherwise run `make terraform-docs`."""
    assert terraform_docs.PAGE.read_text(encoding="utf-8") == terraform_docs.page()


def test_the_readme_of_the_module_is_true() -> None:
    """The README of the module has the example of docs/terraform.md, and the versions that it requires."""
    readme = (ROOT / "terraform" / "README.md").read_text(encoding="utf-8")
    versions = (ROOT / "terraform" / "versions.tf").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```hcl\n.*?^```", readme, re.MULTILINE | re.DOTALL)

    assert example in terraform_docs.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"\| (>= .*) \|", readme) == re.findall(r'version += "(.*)"', versions)


def test_each_example_has_a_readme() -> None:
    """Each example has a README, whose command gives every variable without a default."""
    for example in (ROOT / "examples").iterdir():
        readme = (example / "README.md").read_text(encoding="utf-8")
        variables = re.findall(
            r'^variable "(\w+)" \{\n(.*?)^\}',
            (example / "main.tf").read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        required = [name for name, block in variables if "default " not in block]
        assert re.findall(r"-var '?(\w+)=", readme) == required


def test_each_stage_is_documented() -> None:
    """The page on roll-outs has a column for each file of settings."""
    stages = {file.stem for file in (ROOT / "terraform" / "stages").glob("*.tfvars")}
    header = next(
        line for line in (DOCS / "rollout.md").read_text(encoding="utf-8").splitlines() if "|" in line
    )
    assert {cell.strip(" `") for cell in header.strip("|").split("|")} - {""} == stages


@pytest.mark.parametrize("row", rows("scaling.md", "viewers"), ids=lambda row: row[0])
def test_the_capacity_figures_are_the_models(row: list[str]) -> None:
    """The page's figures are the model's to two digits: `make capacity` prints the same."""
    viewers, *figures = (float(cell.replace(",", "")) for cell in row[:-1])
    needed = capacity(Audience(int(viewers)), load_prices())
    hour, million = needed.dollars, needed.dollars_million_requests
    model = [needed.requests_second, needed.concurrency, hour, million, hour / viewers]
    assert figures == pytest.approx(model, rel=0.025)


@pytest.mark.parametrize("row", rows("scaling.md", "viewers at the busiest hour"), ids=lambda row: row[0])
def test_the_monthly_costs_are_the_models(row: list[str]) -> None:
    """The page's costs of a month are the model's to two digits: `make capacity` prints the same."""
    viewers, *figures = (float(cell.replace(",", "")) for cell in row)
    of = month(Audience(int(viewers)), load_prices())
    spent = [of.constant_dollars, of.dollars, of.edge_dollars]
    assert figures == pytest.approx(
        [of.mean_viewers, *spent, of.subscribers, of.dollars_subscriber], rel=0.03
    )


@pytest.mark.parametrize("row", rows("scaling.md", "viewers at once"), ids=lambda row: row[0])
def test_the_heartbeat_costs_are_the_models(row: list[str]) -> None:
    """The page's costs of heartbeats are the model's in every digit: `make capacity` prints the same."""
    viewers = int(row[0].replace(",", ""))
    before, after = (price(of(Audience(viewers)), load_prices()) for of in (by_default, at_its_cheapest))
    assert row[1:] == [
        *(f"{one.million_requests:.3f}" for one in (before, after)),
        *(f"{1000 * one.stream_hour:.3f}" for one in (before, after)),
        *(f"{one.subscriber_month:.4f}" for one in (before, after)),
    ]


def test_the_evening_curve_is_the_models() -> None:
    """The page's evening curve is the model's, hour by hour."""
    shares = [float(share) for row in rows("scaling.md", "hours") for share in row[1].split(",")]
    assert tuple(shares) == EVENING


@pytest.mark.parametrize("row", rows("scaling.md", "streams at once"), ids=lambda row: row[0])
def test_the_edge_costs_by_audience_are_the_models(row: list[str]) -> None:
    """With segments of 6 seconds the edge's costs are the model's, as is the ratio to the service's bill."""
    streams, requests, on_demand, live, share = (float(cell.strip(" %").replace(",", "")) for cell in row)
    needed = capacity(Audience(int(streams)), load_prices())
    edge = needed.edge_dollars_hour
    model = [needed.edge_requests_second, edge, 2 * edge, 100 * edge / needed.dollars]
    assert [requests, on_demand, live, share] == pytest.approx(model, rel=0.025)


@pytest.mark.parametrize("row", rows("edge.md", "segments of"), ids=lambda row: row[0])
def test_the_edge_costs_per_stream_are_the_models(row: list[str]) -> None:
    """The page's dollars for a million hours of video are the model's, by the length of segments."""
    segment, requests, on_demand, live = (float(cell.removesuffix(" s").replace(",", "")) for cell in row)
    needed = capacity(Audience(1_000_000, segment_seconds=segment), load_prices())
    edge = needed.edge_dollars_hour
    model = [needed.edge_requests_second * 3600 / 1_000_000, edge, 2 * edge]
    assert [requests, on_demand, live] == pytest.approx(model, rel=0.005)


@pytest.mark.parametrize("row", rows("security.md", "threat"), ids=lambda row: row[0])
def test_each_threat_names_existing_tests(row: list[str]) -> None:
    """Each threat's row names a file, a table of attacks or a test, all of which exist."""
    files = {file.stem: file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py")}
    named = re.findall(r"`(test_\w+|[A-Z]{2,})`", row[-1])
    assert named or re.search(r"`(tests|terraform)/", row[-1])
    for name in named:
        there = re.compile(rf"^(def {name}\(|{name}: Final)", re.MULTILINE)
        assert name in files or any(there.search(text) for text in files.values()), name


def test_the_dependency_table_matches_pyproject() -> None:
    """The page has a row for each library that pyproject.toml names, in each group, and for no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["project"]["dependencies"], *project["dependency-groups"].values()
    named = [re.split(r"[^\w-]", line)[0] for line in chain(*groups)]
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([\w-]+)", page, re.MULTILINE)) == sorted(named)


@every_page
def test_each_file_named_by_a_page_exists(page: Path) -> None:
    """Each file that a page names exists, except for built ones."""
    named = re.findall(
        r"(?<=[`\s])[\w.-]+(?:/[\w.-]+)*(?:\.(?:py|tf|hcl|md|yaml|mjs)|/)(?=[`\s])", code(page)
    )
    places = [*FOLDERS, page.parent]
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert [name for name in missing if not name.startswith((".state", "build/"))] == []


@every_page
def test_each_make_target_named_by_a_page_exists(page: Path) -> None:
    """Each target that a page names is a target of `make`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", code(page))) <= targets


def test_the_links_of_documents_outside_the_site_resolve() -> None:
    """Each relative link of the documents beside the site leads to a file."""
    links = [
        page.parent / link
        for page in BESIDE
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    ]

    assert links
    assert [link for link in links if not link.exists()] == []


def test_the_page_about_tests_links_each_folder_of_tests() -> None:
    """The page about the tests links each folder that has a test."""
    tests = ROOT / "tests"
    folders = {
        file.parent.relative_to(tests).as_posix()
        for file in tests.rglob("test_*.py")
        if "node_modules" not in file.parts
    }
    linked = set(re.findall(r"\]\(([^)]+)\)", (tests / "README.md").read_text(encoding="utf-8")))
    assert folders
    assert folders <= linked
