from pathlib import Path

import pytest

from dev.scan import prose


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("module.py", '"""A module."""\n\n# Somebody waits.\n', 3),
        ("module.py", '"""A module.\n\nSomebody waits.\n"""\n', 3),
        ("module.py", '"""A module."""\n\nprint(f"Somebody waits for {1}.")\n', 3),
        ("page.md", "# A page\n\n```\nnobody\n```\n\nSomebody waits.\n", 7),
        ("main.tf", "# Somebody waits.\n", 1),
        ("Makefile", "run: ## Run until somebody stops it\n", 1),
        ("module.py", '"""A module."""\n\n\ndef test_somebody_waits() -> None:\n    pass\n', 4),
        ("rooms.tftest.hcl", 'run "somebody_waits" {\n}\n', 1),
    ],
    ids=["comment", "docstring", "f-string", "document", "terraform", "makefile", "function", "run"],
)
def test_a_listed_word_is_reported_with_its_line(tmp_path: Path, name: str, text: str, line: int) -> None:
    """A listed word in prose is reported once, with its line and the advice for it."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")

    (problem,) = prose.check(file)

    assert problem.startswith(f"{file}:{line}: ")
    assert "'somebody': name the reader" in problem.lower()


@pytest.mark.parametrize("docstring", ["Whether it runs.", "What runs.", "How it runs."])
def test_a_docstring_that_opens_like_a_question_is_reported(tmp_path: Path, docstring: str) -> None:
    """A docstring is reported if its first word is neither a verb nor part of a noun phrase."""
    file = tmp_path / "module.py"
    file.write_text(f'"""A module."""\n\n\ndef runs() -> bool:\n    """{docstring}"""\n', encoding="utf-8")

    (problem,) = prose.check(file)

    assert problem.startswith(f"{file}:5: a docstring starts with '{docstring.partition(' ')[0]}'")


@pytest.mark.parametrize(
    ("head", "section", "body"),
    [
        ("class Line:", "Attributes", "new: str"),
        ("class Line:", "Attributes", "def __init__(self) -> None:\n        self.new = made(old=1)"),
        ("class Line:", "Args", "def __init__(self, new: str) -> None:\n        self.old = new"),
        ("def line(new: str) -> None:", "Args", "print(new)"),
    ],
    ids=["field", "attribute", "constructor", "function"],
)
def test_a_documented_name_must_exist(tmp_path: Path, head: str, section: str, body: str) -> None:
    """A docstring with the old name of an attribute or a parameter is reported, one with the new is not."""

    def problems(name: str) -> list[str]:
        file = tmp_path / "module.py"
        docstring = f'"""Use it.\n\n    {section}:\n        {name}: the text,\n            in full.\n    """'
        file.write_text(f'"""A module."""\n\n\n{head}\n    {docstring}\n\n    {body}\n', encoding="utf-8")
        return prose.check(file)

    (problem,) = problems("old")

    assert "module.py:5: a docstring documents 'old'" in problem
    assert problems("new") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("module.py", '"""A module."""\n\nnobody = 1  # the user of the process\n'),
        ("page.md", "# A page\n\nStart it:\n\n```sh\nsudo -u nobody make run\n```\n"),
        ("main.tf", "# The table has one item per user.\n"),
    ],
    ids=["a name in code", "a block of code", "plain English"],
)
def test_clean_prose_passes(tmp_path: Path, name: str, text: str) -> None:
    """A listed word in code, or a text without one, is not reported."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")

    assert prose.check(file) == []


def test_the_checker_reads_documents_code_and_help_texts() -> None:
    """The tracked documents, modules, scripts and the Makefile are checked, and the list of words is not."""
    files = {str(path) for path in prose._files()}  # noqa: SLF001 - the choice of files is half of the check

    assert {"README.md", "Makefile", "dev/scan/prose.py", "edge/viewer-request.js"} <= files
    assert "dev/scan/prose.toml" not in files
