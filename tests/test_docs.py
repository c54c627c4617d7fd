"""What documents and docstrings name is there: files, folders, modules and links."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.processes import BASE

ROOTS = ("aggregates", "tests", "usagesite", "docs", "templates")
DOCUMENTS = sorted([*BASE.glob("*.md"), *(BASE / "docs").rglob("*.md")])
SOURCES = sorted(path for root in ROOTS[:3] for path in (BASE / root).rglob("*.py"))
PATH = re.compile(rf"(?<![\w/.])(?:{'|'.join(ROOTS)})/[\w./-]*\w/?")
DOTTED = re.compile(r"(?<![\w/.-])(?:aggregates|usagesite|tests)(?:\.[A-Za-z_]\w*)+")
IMPORT = re.compile(r"\s*(?:from|import) ")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
TEST = re.compile(r"`(tests/[\w/]+\.py)`: `(test_\w+)`")


def name_of(path: Path) -> str:
    return str(path.relative_to(BASE))


def missing_of(text: str) -> Iterator[str]:
    for path in PATH.findall(text):
        if not (BASE / path).exists():
            yield path
    for dotted in DOTTED.findall(text):
        if not exists(dotted):
            yield dotted


@cache
def exists(dotted: str) -> bool:
    """Whether it is a module, something in one, or something in that."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def prose_of(path: Path) -> str:
    """Docstrings and comments of a file that names something: strings that are values may name what they like."""
    text = path.read_text()
    if not any(PATH.search(line) or DOTTED.search(line) for line in text.splitlines() if not IMPORT.match(line)):
        return ""
    with_docstrings = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, with_docstrings))
    comments = re.findall(r"(?:^|\s)# (.*)$", text, re.MULTILINE)
    return "\n".join([*(ast.get_docstring(node) or "" for node in nodes), *comments])


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_documents_name_what_is_there(path: Path) -> None:
    text = path.read_text()
    links = [link for link in LINK.findall(text) if not (path.parent / link).exists()]
    assert [*missing_of(text), *links] == []


def test_docstrings_and_comments_name_what_is_there() -> None:
    missing = {name_of(path): [*missing_of(prose_of(path))] for path in SOURCES}
    assert {name: found for name, found in missing.items() if found} == {}


def test_the_readme_says_where_to_look_first() -> None:
    part = (BASE / "README.md").read_text().partition("| question | place in `aggregates/` |")[2]
    places = re.findall(r"`([\w./]+)`", part.partition("\n\n")[0])
    assert len(places) > 10
    assert [place for place in places if not (BASE / "aggregates" / place).exists()] == []


def test_the_folders_of_aggregates_are_the_picture_of_the_readme() -> None:
    picture = (BASE / "README.md").read_text().partition("## How it is built")[2].split("```")[1]
    rooms = re.findall(r"^(?:(\w+) {2,})(?:(management|api|accounts) {2,})?", picture, re.MULTILINE)
    folders = {path.parent.name for path in (BASE / "aggregates").glob("*/__init__.py")}
    assert {room for row in rooms for room in row if room} == folders - {"migrations", "templatetags"}


def test_tests_that_documents_name_are_there() -> None:
    named = [pair for path in DOCUMENTS for pair in TEST.findall(path.read_text())]
    assert len(named) > 5
    assert [pair for pair in named if f"def {pair[1]}(" not in (BASE / pair[0]).read_text()] == []
