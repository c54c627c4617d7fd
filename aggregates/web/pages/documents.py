"""The documents of docs/ as pages of the site: made of the same Markdown files, once in a process, and searched."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = Path(__file__).resolve().parents[3] / "docs"
# The pages by who reads them; what is not listed comes last.
GROUPS = (
    ("Reading numbers", ("words", "ranges", "cost-bridge", "exports", "views-and-notes", "reading-usage")),
    ("Getting calls in", ("sending-usage", "importing", "prices")),
    ("People", ("people", "audit-log", "managing")),
    ("Running the site", ("settings", "operations", "changing", "standby", "scale", "security", "performance")),
    ("How and why it works", ("exactness", "decisions")),
)
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
def collection() -> dict[str, Document]:
    """Read all documents by name, such as “decisions/grains”; what is not in it has no page."""
    texts = {_name(path): path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*.md"))}
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in texts.items()}
    return {name: _read(name, text, titles) for name, text in texts.items()}


def groups() -> Iterator[tuple[str, list[Document]]]:
    """List the documents by who reads them."""
    left = dict(collection())
    for title, names in GROUPS:
        of_group = [left.pop(name) for name in names if name in left]
        yield title, of_group if title != GROUPS[-1][0] else [*of_group, *left.values()]


def search(typed: str) -> list[Found]:
    """Find the sections that have all words of a text; those that have them in the heading come first."""
    words = typed.casefold().split()
    found = [
        (
            not all(word in section.heading.casefold() for word in words),
            Found(document, section, _excerpt(section, words)),
        )
        for document in collection().values()
        for section in document.sections
        if words and all(word in f"{section.heading} {section.text}".casefold() for word in words)
    ]
    return [each for _, each in sorted(found, key=lambda one: one[0])[:MOST_FOUND]]


def anchor_of(heading: str) -> str:
    """Make the anchor of a heading as code hosts do, so that links in the files work there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _name(path: Path) -> str:
    return _plain_name(path.relative_to(FOLDER).as_posix())


def _plain_name(path: str) -> str:
    """Name the document of a path in the folder: without an ending, and that of a folder's README by the folder."""
    return path.removesuffix(".md").removesuffix("/README")


def _read(name: str, text: str, titles: Mapping[str, str]) -> Document:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    _place_anchors(tokens)
    for token in tokens:
        token.attrs.pop("style", None)  # of aligned cells: the site's policy allows none
        if token.type == "inline":
            token.children = list(_linked(token.children or [], name, titles))
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


def _linked(children: list[Token], name: str, titles: Mapping[str, str]) -> Iterator[Token]:
    """Lead links between files to pages, under their titles; of a link to another file, such as the program's, only the
    words stay."""
    address, target = None, ""
    for token in children:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            target = _target(href, name)
            address = _address(href, target, titles)
            if address is None:
                continue
            token.attrSet("href", address)
        elif token.type == "link_close" and address is None or token.type == "image":
            continue
        elif token.type == "text" and token.content.endswith(".md") and target in titles:
            token.content = titles[target]
        if token.type == "link_close":
            target = ""
        yield token


def _target(href: str, name: str) -> str:
    """Name the document that a link leads to, as seen from a document; where it is none, no document has that name."""
    path = href.partition("#")[0]
    home = "decisions" if name == "decisions" else posixpath.dirname(name)
    return _plain_name(posixpath.normpath(posixpath.join(home, path))) if path.endswith(".md") else ""


def _address(href: str, target: str, titles: Mapping[str, str]) -> str | None:
    """Return where a link of a file leads on the site; None where that is nowhere."""
    if href.startswith(("http://", "https://", "#")):
        return href
    _, hash_, anchor = href.partition("#")
    return f"{reverse('document', args=[target])}{hash_}{anchor}" if target in titles else None


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
