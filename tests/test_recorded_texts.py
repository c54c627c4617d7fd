"""Names that try to be something else, on every page, in every file and answer: each is itself, and changes nothing."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from unicodedata import bidirectional, normalize
from urllib.parse import urlencode

import openpyxl
import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from aggregates.accounts import day_notes, keys, saved_views
from aggregates.domain.calls import Call, with_key
from aggregates.domain.texts import FROM_RIGHT, FSI, PDI, named, normal_form, read_typed, shown, visible
from aggregates.ingest import record
from aggregates.ingest.arrivals import Source, Tally, count_arrivals
from aggregates.models import (
    ApiKey,
    DayNote,
    FileImport,
    Kind,
    Membership,
    Organization,
    PriceOverride,
    Role,
    SavedView,
    UsageLog,
    User,
)
from tests.figures import figure_in
from tests.lot import share
from tests.names import NAMES

FIELDS = ("operation", "model", "user_id", "subject_id", "project")
OF_NAMES = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
PLACES = {name: place for place, name in enumerate(NAMES.values())}
ISOLATED = re.compile(f"{FSI}[^{PDI}]*{PDI}")
INVISIBLE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2066\u2067]")


@pytest.fixture
def named_calls(acme: Organization, call: Callable[..., Call]) -> Callable[..., None]:
    """Record a call of each name, in all its fields: $1 of the first, $2 of the second, and so on."""

    def of(*names: str) -> None:
        now = timezone.now()
        texts = [dict.fromkeys(FIELDS, name) | {"model": name or "gpt-5"} for name in names]
        record(acme, [call(now, cost=place, **each) for place, each in enumerate(texts, 1)])

    return of


@pytest.fixture
def page(client: Client, alice: User) -> Callable[[str], str]:
    client.force_login(alice)

    def of(path: str) -> str:
        response = client.get(f"/o/acme/{path}")
        assert response.status_code == 200, path
        return response.content.decode()

    return of


PLAIN: dict[str, list[str]] = {}  # the tags of pages with plain names, by their paths: the same for every name


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.beside = ""  # the text that no <bdi> sets apart
        self._is_apart = False
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._is_apart = self._is_apart or tag == "bdi"
        self.attributes += [value or "" for name, value in attrs if name in ("title", "aria-label", "label")]

    def handle_endtag(self, tag: str) -> None:
        self._is_apart = self._is_apart and tag != "bdi"

    def handle_data(self, data: str) -> None:
        self.text += data
        self.beside += "" if self._is_apart else data

    @property
    def changes_order(self) -> bool:
        """Whether letters from the right stand where nothing keeps the order of what is beside them."""
        texts = (ISOLATED.sub("", text) for text in (self.beside, *self.attributes))
        return any(not FROM_RIGHT.isdisjoint(map(bidirectional, text)) for text in texts)


def cost_of(dashboard: str) -> Decimal:
    (cost,) = re.findall(r'class="tile-value[^"]*" title="\$([^"]*)"', dashboard)
    return Decimal(cost)


PAGES = (
    "?range=7d&by=user&subgroup=subject",
    "changes/?range=7d",
    "calls/?range=7d",
    "calls/1/",
    "groups/?range=7d&by=user",
)


def file_of(client: Client, path: str) -> bytes:
    response = client.get(f"/o/acme/{path}")
    assert response.status_code == 200
    return b"".join(response)


def path_of(path: str) -> str:
    return path.replace("calls/1/", f"calls/{UsageLog.objects.latest('id').pk}/")


@OF_NAMES
def test_pages_have_the_same_tags_whatever_a_name_is(
    page: Callable[[str], str], named_calls: Callable[..., None], name: str
) -> None:
    paths = share(PAGES, PLACES[name], 3)
    if missing := [path for path in paths if path not in PLAIN]:
        named_calls("alice")
        PLAIN.update({path: Tags(page(path_of(path))).tags for path in missing})
        UsageLog.objects.all().delete()
    named_calls(name)
    for path in paths:
        shown = Tags(page(path_of(path)))
        assert [tag for tag in shown.tags if tag != "wbr"] == PLAIN[path], path
        assert visible(normal_form(name)) in shown.text, path
        assert not INVISIBLE.search(shown.text.replace("\n", "")), path
        assert not any(INVISIBLE.search(text) for text in shown.attributes), path


@OF_NAMES
def test_what_people_name_changes_no_page(
    page: Callable[[str], str], acme: Organization, alice: User, call: Callable[..., Call], name: str
) -> None:
    """An organization, a key, an own price, a file that was imported, a saved view, a note, and who made them."""
    paths = ["", "?range=7d&by=key"]
    paths += [f"{name}/" for name in ("keys", "prices", "arrivals", "prices/comparison", "imports", "views", "notes")]
    key = keys.create(acme, "plain", alice)[0]
    price = PriceOverride.objects.create(organization=acme, pattern="plain", input=1, output=1, created_by=alice)
    count_arrivals(Source.of_file(acme, name[:50]), Tally())
    view = saved_views.save(alice.memberships.get(), "plain", {"range": ["7d"]})
    note = day_notes.add(acme, timezone.now().date(), None, "plain", alice)
    file = FileImport.objects.create(organization=acme, name="plain", size=1, state="done", created_by=alice)
    paths.append(f"imports/{file.pk}/")
    paths = [*share(paths, PLACES[name], 5)]
    record(acme, [with_key(call(timezone.now(), cost=1), key.prefix)])
    plain = [PLAIN.get(f"named {path}") or Tags(page(path)).tags for path in paths]
    PLAIN.update({f"named {path}": tags for path, tags in zip(paths, plain, strict=True)})
    Organization.objects.filter(pk=acme.pk).update(name=name[:200])
    ApiKey.objects.filter(pk=key.pk).update(name=name[:100])
    PriceOverride.objects.filter(pk=price.pk).update(pattern=name)
    SavedView.objects.filter(pk=view.pk).update(name=name[:60])
    FileImport.objects.filter(pk=file.pk).update(name=name[:200])
    DayNote.objects.filter(pk=note.pk).update(text=name[:200])
    User.objects.filter(pk=alice.pk).update(email=f"alice@{name[:60]}")
    shown = [Tags(page(path)) for path in paths]

    assert [[tag for tag in each.tags if tag != "wbr"] for each in shown] == [
        [tag for tag in tags if tag != "wbr"] for tags in plain
    ]
    for each in shown:
        assert visible(name[:200]) in each.text
        assert not each.changes_order
        assert not INVISIBLE.search(each.text.replace("\n", ""))
        assert not any(INVISIBLE.search(text) for text in each.attributes)


def test_what_is_said_of_a_name_shows_it(
    client: Client, acme: Organization, staff: User, call: Callable[..., Call]
) -> None:
    """As messages have it: of views, of notes, and of an organization that is being removed."""
    name = "\u202eאליס"
    said = f"“{shown(name)}”"
    Organization.objects.filter(pk=acme.pk).update(name=name)
    membership = Membership.objects.create(user=staff, organization=acme, role=Role.ADMIN)
    view = saved_views.save(membership, name, {"range": ["7d"]}, shared=True)
    other = saved_views.save(membership, "plain", {"range": ["7d"]}, shared=True)
    note = day_notes.add(acme, timezone.now().date(), None, name, staff)
    record(acme, [call(timezone.now())])
    client.force_login(staff)

    def answer(path: str, **sent: str) -> str:
        response = client.post(path, sent, follow=True)
        assert response.status_code == 200
        return unescape(response.content.decode())

    views = "/o/acme/views/"
    assert f"Saved {said}." in answer(f"{views}{view.pk}/rename/", name=name)
    assert f"{said} stays as it was." in answer(f"{views}{view.pk}/rename/", name="")
    assert f"{said} stays as it was." in answer(f"{views}{view.pk}/save/", query="?range=fortnight")
    assert f"There is a view {said} already." in answer(f"{views}{other.pk}/rename/", name=name)
    found = unescape(client.get("/o/acme/find/", {"q": "אליס"}).content.decode())
    assert f"<bdi>{shown(name)}</bdi> <span>of {shown(name)}</span>" in found
    assert f"<title>{shown(name)} · " in unescape(file_of(client, "usage.html?range=7d").decode())
    assert f"Deleted {said}." in answer(f"{views}{view.pk}/delete/")
    assert f"Deleted {said}." in answer(f"/o/acme/notes/{note.pk}/delete/")
    removal = f"/admin/aggregates/organization/{acme.pk}/delete/"
    assert f"Remove {shown(name)}" in unescape(client.get(removal).content.decode())
    assert f"{shown(name)} is being removed." in answer(removal, slug="acme")


def test_a_word_of_ours_is_told_from_names_everywhere(
    client: Client, page: Callable[[str], str], named_calls: Callable[..., None]
) -> None:
    """The tables have ten groups, so Other is the one cent of 12 users, and “(not set)” that of nobody."""
    named_calls(*["u1"] * 10, "", "Other", "(not set)", *(f"user {number}" for number in range(11)))
    content = page("?range=7d&by=user")

    (table,) = re.findall(r'aria-labelledby="table-user".*?</table>', content, re.S)
    names = re.findall(r'<th scope="row">(?:<a[^>]*>)?(.*?)(?:</a>)?</th>', table)
    assert names.count('<i class="ours">Other</i>') == 1
    assert "<bdi>Other</bdi>" not in table
    legend = re.findall(r'class="group-name[^>]*>(.*?)</a>', content)
    assert legend[-1] == '<i class="ours">Other</i>'
    rows = list(csv.DictReader(io.StringIO(file_of(client, "usage.csv?range=7d&by=user").decode("utf-8-sig"))))
    kinds = [(row["user"], row["group_kind"]) for row in rows if row["user"] in ("Other", "(not set)")]
    assert sorted(kinds) == [("(not set)", "not_set"), ("(not set)", "value"), ("Other", "value")]


def test_a_word_of_ours_is_told_from_subgroups(
    client: Client, page: Callable[[str], str], acme: Organization, call: Callable[..., Call]
) -> None:
    """The most expensive subjects are called as ours are; eight others are the rest of Alice."""
    subjects = [*map(str, range(8)), "", "(not set)", "Other"]
    record(acme, [call(timezone.now(), user_id="alice", subject_id=each, cost=n) for n, each in enumerate(subjects, 1)])
    content = page("?range=7d&by=user&subgroup=subject")
    (parts,) = re.findall(r'<ol class="parts".*?</ol>', content, re.S)
    names = [f"alice › {name}" for name in ("“Other”", "“(not set)”", "(not set)", "7", "Other")]

    assert [trace["name"] for trace in figure_in(content, "explore")["data"]] == names
    assert re.findall(r'<i class="ours">(.*?)</i>', parts) == ["(not set)", "Other"]
    links = re.findall(r'<a class="group-name[^>]*href="([^"]*)"', parts)
    costs = [cost_of(client.get("/o/acme/" + unescape(link)).content.decode()) for link in links]
    assert costs == [11, 10, 9, 8, sum(range(1, 8))]
    rows = csv.DictReader(
        io.StringIO(file_of(client, "usage.csv?range=7d&by=user&subgroup=subject").decode("utf-8-sig"))
    )
    kinds = [(row["subject"], row["subgroup_kind"]) for row in rows if row["subject"] in ("Other", "(not set)")]
    assert sorted(kinds) == [("(not set)", "not_set"), ("(not set)", "value"), ("Other", "other"), ("Other", "value")]


@OF_NAMES
def test_a_name_is_charted_linked_filtered_proposed_and_found(
    client: Client, page: Callable[[str], str], named_calls: Callable[..., None], name: str
) -> None:
    named_calls(name, "somebody else")
    recorded, content = normal_form(name), page("?range=7d&by=user")

    check_chart(content, recorded)
    (link,) = re.findall(r'<a class="group-name" href="([^"]*)" title="[^"]*"', content)[1:]
    assert cost_of(page(unescape(link))) == 1
    as_shown = {"add": "user", "value": f" {visible(recorded)} "}
    for asked in share([{"user": recorded}, as_shown], PLACES[name], 2):
        check_filter(page(f"?range=7d&{urlencode(asked)}"))
    check_proposals(client.get("/o/acme/values/", as_shown).content.decode(), recorded)
    check_finder(client, recorded)


def check_chart(content: str, recorded: str) -> None:
    """It says the name as text, with its own numbers."""
    (trace,) = (trace for trace in figure_in(content, "explore")["data"] if trace["name"] == named(recorded))
    assert [text for text in trace["customdata"] if text != "$0.00"] == ["$1.00"]
    assert not {"text", "texttemplate", "hovertext", "hovertemplate"} & trace.keys()  # Plotly would read tags in them


def check_filter(content: str) -> None:
    assert cost_of(content) == 1
    hidden = re.findall(r'<input type="hidden" name="(user[^"]*)" value="([^"]*)"', content)
    assert hidden
    assert not any(end in value for _, value in hidden for end in "\r\n")


def check_proposals(content: str, recorded: str) -> None:
    """It is there so that it can be taken."""
    assert recorded in picks(content)
    assert not any(end in value for value in re.findall('value="([^"]*)"', content) for end in "\r\n")
    assert named(recorded) in unescape(content)


def check_finder(client: Client, recorded: str) -> None:
    """It is found where one can go anywhere."""
    content = client.get("/o/acme/find/", {"range": "7d", "q": visible(recorded)[:256]}).content.decode()
    if len(visible(recorded)) <= 256:
        assert f"<bdi>{named(recorded)}</bdi>" in unescape(content)
    assert not INVISIBLE.search(Tags(content).text.replace("\n", ""))


def picks(content: str) -> list[str]:
    """The names that can be picked, as a form sends them."""
    inputs = re.findall(r'<input type="checkbox" name="(pick[^"]*)" value="([^"]*)"', content)
    return [read_typed(unescape(value)) if name != "pick" else unescape(value) for name, value in inputs]


def test_files_and_the_api_hold_names_exactly(
    client: Client, acme: Organization, alice: User, named_calls: Callable[..., None]
) -> None:
    names = list(dict.fromkeys(map(normal_form, NAMES.values())))
    named_calls(*NAMES.values())
    client.force_login(alice)
    secret = keys.create(acme, "report", None, Kind.READ)[1].text

    answer = client.get(
        "/api/v1/usage?range=7d&bucket=week&by=user&subgroup=subject", headers={"Authorization": f"Bearer {secret}"}
    )
    rows = answer.json()["rows"]
    assert sorted(row["key"] for row in rows) == sorted(row["subkey"] for row in rows) == sorted(names)
    assert {(row["group_kind"], row["subgroup_kind"]) for row in rows} == {("value", "value")}

    calls = file_of(client, "calls.csv?range=7d").decode("utf-8-sig")
    recorded = list(csv.DictReader(io.StringIO(calls, newline="")))
    for field in FIELDS:
        assert sorted({row[field] for row in recorded}) == sorted(names)

    book = openpyxl.load_workbook(io.BytesIO(file_of(client, "usage.xlsx?range=7d&by=user")))
    cells = [row[1] for row in book["Rows"].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}

    today = timezone.now().date().isoformat()
    text = io.StringIO()
    call_command(
        "usage_report", "--organization", "acme", "--from", today, "--to", today, "--by", "user", "--format", "csv",
        stdout=text, stderr=io.StringIO(),
    )  # fmt: skip
    assert sorted(row["key"] for row in csv.DictReader(io.StringIO(text.getvalue(), newline=""))) == sorted(names)


@pytest.mark.parametrize("file", ["usage.csv", "usage.csv?subgroup=subject", "focus.csv"])
def test_no_cell_of_a_file_for_spreadsheets_is_a_formula(
    client: Client, alice: User, named_calls: Callable[..., None], file: str
) -> None:
    named_calls(*NAMES.values())
    client.force_login(alice)
    content = file_of(client, f"{file}{'&' if '?' in file else '?'}range=7d&by=user").decode()

    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))
    assert content.startswith("\ufeff") == (file != "focus.csv")
    assert len({len(row) for row in rows}) == 1
    texts = [cell for row in rows[1:] for cell in row if not re.fullmatch(r"-?[0-9.]+", cell)]
    assert not [text for text in texts if re.match("[=+@\t\r\n＝＋－＠-]", text)]
    if file == "usage.csv":
        users = [row[1] for row in rows[1:]]
        assert len(set(users)) == len(users)


def test_calls_taken_along_can_be_brought_back(
    client: Client,
    acme: Organization,
    other: Organization,
    alice: User,
    named_calls: Callable[..., None],
    tmp_path: Path,
) -> None:
    named_calls(*NAMES.values())
    client.force_login(alice)
    file = tmp_path / "calls.csv"
    file.write_bytes(file_of(client, "calls.csv?range=7d"))

    for _ in range(2):
        call_command("import_usage", str(file), organization="other", stdout=io.StringIO(), stderr=io.StringIO())

    mine, theirs = (
        sorted(UsageLog.objects.filter(organization=each).values_list(*FIELDS, "cost", "request_id"))
        for each in (acme, other)
    )
    assert mine == theirs


def test_one_form_of_letters_is_recorded(acme: Organization, call: Callable[..., Call]) -> None:
    now = timezone.now()
    decomposed = normalize("NFD", "Zoë")
    record(acme, [call(now, user_id=decomposed, labels=((decomposed, decomposed),)), call(now, user_id="Zoë")])

    assert set(UsageLog.objects.values_list("user_id", flat=True)) == {"Zoë"}
    assert UsageLog.objects.get(labels__isnull=False).labels == {"Zoë": "Zoë"}


def test_ids_of_rows_of_files_are_made_from_what_was_sent(
    acme: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(f"timestamp,model,user_id\n2025-07-01T12:00:00Z,gpt-5,{normalize('NFD', 'Zoë')}\n")
    with monkeypatch.context() as before:
        before.setattr("aggregates.ingest.recording.as_logged", lambda call: call)
        call_command("import_usage", str(file), organization="acme", stdout=io.StringIO())
    call_command("import_usage", str(file), organization="acme", stdout=io.StringIO())

    assert [call.user_id for call in UsageLog.objects.all()] == [normalize("NFD", "Zoë")]


def test_a_name_recorded_in_another_form_is_found(
    client: Client, acme: Organization, alice: User, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    decomposed = normalize("NFD", "zoë")
    with monkeypatch.context() as before:
        before.setattr("aggregates.ingest.recording.as_logged", lambda call: call)
        record(acme, [call(timezone.now(), user_id=decomposed, cost=Decimal(1))])
    record(acme, [call(timezone.now(), user_id="zoë", cost=Decimal(2))])
    client.force_login(alice)

    for typed in ("zoë", "ZOË", decomposed):
        content = client.get("/o/acme/values/", {"add": "user", "value": typed}).content.decode()
        assert picks(content) == ["zoë", decomposed]
    for typed, cost in (("zoë", 2), (decomposed, 2), ("zoe⟨U+0308⟩", 1)):
        content = client.get("/o/acme/", {"range": "7d", "add": "user", "value": typed}).content.decode()
        assert cost_of(content) == cost
