"""The documents as pages: all of docs/, its links leading on, and nothing else that lies on the disk."""

import re

import pytest
from django.test import Client

from aggregates.web.pages import documents
from tests.processes import BASE

FILES = {str(path.relative_to(BASE / "docs")) for path in (BASE / "docs").rglob("*.md")}


def test_each_file_is_a_page_and_each_link_between_them_leads_on() -> None:
    found = documents.collection()
    assert len(found) == len(FILES) > 20
    assert [name for name, each in found.items() if not each.html.startswith("<h1 id=")] == []
    anchors = {name: set(re.findall(r' id="([^"]+)"', each.html)) for name, each in found.items()}
    broken = []
    for name, each in found.items():
        for href in re.findall(r'<a href="([^"]+)"', each.html):
            if href.startswith(("http:", "https:")):
                continue
            target, _, anchor = href.partition("#")
            page = target.removeprefix("/docs/").removesuffix("/") if target else name
            if page not in found or (anchor and anchor not in anchors[page]):
                broken.append((name, href))
    assert broken == []
    assert '<a href="/docs/words/">Words on pages</a>' in found["exactness"].html
    assert '<a href="/docs/decisions/latency/">How latencies' in found["words"].html
    assert "attributes.py" in found["sending-usage"].html  # of a link to a program the words stay
    assert [title for title, of_group in documents.groups() if not of_group] == []


def test_pages_hold_to_the_policy_of_the_site() -> None:
    for each in documents.collection().values():
        assert not re.search(r"<(?:script|style|img|iframe)\b|<[^>]* (?:style|on\w+)=", each.html), each.name
    made = documents._read("x", "# X\n\n<script>alert(1)</script> [y](javascript:alert(1))\n\n|a|\n|--:|\n|1|\n", {})
    assert "&lt;script&gt;" in made.html
    assert "href" not in made.html
    assert "style" not in made.html


@pytest.mark.parametrize(
    "name",
    ["../README", "..%2FREADME", "%2e%2e/README", "README", "words.md", "/etc/passwd", "decisions/../words", "x\0"],
)
def test_nothing_else_is_read(client: Client, db: None, name: str) -> None:
    assert client.get(f"/docs/{name}/").status_code == 404


def test_anybody_reads_and_searches_them(client: Client, db: None) -> None:
    assert "Rolling" not in client.get("/docs/words/").content.decode().partition("<article")[0]
    assert '<h1 id="words-on-pages">Words on pages</h1>' in client.get("/docs/words/").content.decode()
    found = client.get("/docs/", {"q": "added up  NIGHT"}).content.decode()
    assert 'href="/docs/words/#words-on-pages"' in found
    assert "Nothing has “zzzyx” in it" in client.get("/docs/", {"q": "zzzyx\0"}).content.decode()
    assert "&lt;b&gt;" in client.get("/docs/", {"q": "<b>"}).content.decode()
    first = documents.search("litellm")[0]
    assert (first.document.name, first.section.anchor) == ("sending-usage", "litellm")
