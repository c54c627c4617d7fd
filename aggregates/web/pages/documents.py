"""The documents of docs/ as pages of the site: made of the same Markdown files, once in a process, and searched."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = Path(__file__).resolve().parents[3] / "docs"
# The pages by who reads them; what is not listed comes last.
GROUPS = (
    ("Reading numbers", ("words", "ranges", "cost-bridge", "exports", "views-and-notes", "reading-usage")),
    ("Getting calls in", ("sending-usage", "importing", "prices")),
    ("People", ("people", "audit-log")),
    ("Running the site", ("settings", "operations", "changing", "standby", "security", "performance")),
)
REST = "How and why it works"
MOST_FOUND = 40
BEFORE, AFTER = 60, 160  # characters around what was found


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a heading, as text."""

    anchor: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A page: its name in addresses, its title, its HTML, and its sections to search in."""

    name: str
    title: str
    html: SafeString
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A section with all words that were looked for, and the words around the first of them."""

    document: Document
    section: Section
    excerpt: str


@cache
def library() -> dict[str, Document]:
    """Read all documents by name, such as “decisions/grains”; what is not in it has no page."""
    files = sorted(FOLDER.rglob("*.md"))
    names = {_name(path): path for path in files}
    return {name: _read(name, path.read_text(encoding="utf-8"), names.keys()) for name, path in names.items()}


def groups() -> Iterator[tuple[str, list[Document]]]:
    """List the documents by who reads them."""
    left = dict(library())
    for title, names in GROUPS:
        yield title, [left.pop(name) for name in names if name in left]
    yield REST, list(left.values())


def search(typed: str) -> list[Found]:
    """Find the sections that have all words of a text; those that have them in the heading come first."""
    words = typed.casefold().split()
    found = [
        (
            not all(word in section.heading.casefold() for word in words),
            Found(document, section, _excerpt(section, words)),
        )
        for document in library().values()
        for section in document.sections
        if words and all(word in f"{section.heading} {section.text}".casefold() for word in words)
    ]
    return [each for _, each in sorted(found, key=lambda one: one[0])[:MOST_FOUND]]


def anchor_of(heading: str) -> str:
    """Make the anchor of a heading as code hosts do, so that links in the files work there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _name(path: Path) -> str:
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    return "decisions" if name == "decisions/README" else name


def _read(name: str, text: str, names: Collection[str]) -> Document:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    _place_anchors(tokens)
    for token in tokens:
        token.attrs.pop("style", None)  # of aligned cells: the site's policy allows none
        if token.type == "inline":
            token.children = list(_linked(token.children or [], name, names))
    sections = tuple(_sections(tokens))
    # Our own files, with no HTML but what Markdown makes: `html` is off. What is wide scrolls, also by keyboard.
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = html.replace("<table>", '<div class="document-table" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
    return Document(name, sections[0].heading, mark_safe(html), sections)  # noqa: S308


def _place_anchors(tokens: list[Token]) -> None:
    """Give each heading its anchor; of two alike the second has a number, as on code hosts."""
    taken: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            anchor = anchor_of(_plain(inline))
            count = taken[anchor] = taken.get(anchor, -1) + 1
            token.attrSet("id", f"{anchor}-{count}" if count else anchor)


def _linked(children: list[Token], name: str, names: Collection[str]) -> Iterator[Token]:
    """Lead links between files to pages; of a link to another file, such as the program's, only the words stay."""
    dropped = 0
    for token in children:
        if token.type == "link_open":
            address = _address(str(token.attrGet("href") or ""), name, names)
            if address is None:
                dropped += 1
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        elif token.type == "image":
            continue
        yield token


def _address(href: str, name: str, names: Collection[str]) -> str | None:
    if re.match(r"https?://", href) or href.startswith("#"):
        return href
    path, _, anchor = href.partition("#")
    home = PurePosixPath(name if name == "decisions" else PurePosixPath(name).parent)
    parts: list[str] = []
    for part in (home / path).parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    target = "/".join(parts).removesuffix(".md")
    target = "decisions" if target == "decisions/README" else target
    if not path.endswith(".md") or target not in names:
        return None
    return reverse("document", args=[target]) + (f"#{anchor}" if anchor else "")


def _sections(tokens: list[Token]) -> Iterator[Section]:
    """Cut a document at its headings."""
    anchor, heading, texts = "", "", list[str]()
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            if heading:
                yield Section(anchor, heading, " ".join(texts))
            anchor, heading, texts = str(token.attrGet("id")), _plain(tokens[number + 1]), []
        elif token.type in ("fence", "code_block"):
            texts.append(" ".join(token.content.split()))
        elif token.type == "inline" and tokens[number - 1].type != "heading_open":
            texts.append(_plain(token))
    yield Section(anchor, heading, " ".join(texts))


def _plain(inline: Token) -> str:
    """Return the words of a line of Markdown."""
    kinds = {"softbreak": " ", "hardbreak": " "}
    return "".join(kinds.get(child.type, child.content) for child in inline.children or [])


def _excerpt(section: Section, words: list[str]) -> str:
    """Cut out the words around the first that was found."""
    at = section.text.casefold().find(words[0]) if words else -1
    first = max(0, at - BEFORE)
    text = section.text[first : first + BEFORE + AFTER]
    return f"{'… ' if first else ''}{text.strip()}{' …' if first + BEFORE + AFTER < len(section.text) else ''}"
