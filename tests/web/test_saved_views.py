"""Saved views on pages: saved, opened, changed, and nobody else's business."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from aggregates.accounts import keys, saved_views
from aggregates.models import Kind, Membership, Organization, Role, SavedView, User

DASHBOARD, LIST = "/o/acme/", "/o/acme/views/"
QUERY = "?range=7d&measure=tokens&by=user&model=gpt-5"


def of(user: User) -> Membership:
    return user.memberships.get()


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def open_page(client: Client, address: str) -> tuple[str, str]:
    """Follow to where an address leads; gives that, and the page."""
    response = client.get(address, follow=True)
    assert response.status_code == 200
    last = response.redirect_chain[-1][0] if response.redirect_chain else address
    return last, response.content.decode()


def test_a_view_is_saved_and_opens_as_it_was(client: Client, bob: User) -> None:
    client.force_login(bob)
    page = client.get(DASHBOARD + QUERY).content.decode()
    (query,) = set(re.findall(r'name="query" value="([^"]*)"', page))

    response = client.post(LIST, {"name": "  My   week ", "query": query.replace("&amp;", "&")}, follow=True)

    view = SavedView.objects.get()
    assert (view.name, view.owner) == ("My week", of(bob))
    (opened, _), (shown, _) = response.redirect_chain
    assert opened == f"{LIST}{view.pk}/"
    assert parse_qs(urlsplit(shown).query) == parse_qs(QUERY[1:]) | {"view": [str(view.pk)]}
    content = response.content.decode()
    assert f'<a href="{opened}" aria-current="true"><bdi>My week</bdi></a>' in content
    assert '<span class="views-changed" hidden>' in content


def test_every_address_of_the_page_keeps_which_view_it_is(client: Client, bob: User) -> None:
    client.force_login(bob)
    view = saved_views.save(of(bob), "Week", {"range": ["7d"]})

    _, page = open_page(client, f"{LIST}{view.pk}/")

    assert f"/o/acme/changes/?range=7d&amp;view={view.pk}" in page
    assert f'<input type="hidden" name="view" value="{view.pk}">' in page


def test_what_differs_is_marked_and_can_be_saved(client: Client, bob: User) -> None:
    client.force_login(bob)
    view = saved_views.save(of(bob), "Week", {"range": ["7d"]})
    changed = f"?range=7d&by=user&view={view.pk}"

    page = client.get(DASHBOARD + changed).content.decode()
    assert '<span class="views-changed">changed</span>' in page
    assert f'action="{LIST}{view.pk}/save/"' in page
    response = client.post(f"{LIST}{view.pk}/save/", {"query": "?range=7d&by=user"}, follow=True)

    view.refresh_from_db()
    assert (view.parameters["range"], view.parameters["by"]) == (["7d"], ["user"])
    assert '<span class="views-changed" hidden>' in response.content.decode()


def test_a_view_keeps_the_dates_of_now_if_asked_to(client: Client, bob: User) -> None:
    client.force_login(bob)
    client.post(LIST, {"name": "Moving", "query": "?range=7d", "dates": "relative"})
    client.post(LIST, {"name": "Fixed", "query": "?range=7d", "dates": "fixed"})

    ranges = {view.name: view.parameters["range"] for view in SavedView.objects.all()}
    assert ranges == {"Moving": ["7d"], "Fixed": ["custom"]}


def test_the_default_opens_where_nothing_is_asked_for(client: Client, alice: User, bob: User) -> None:
    shared = saved_views.save(of(alice), "Ours", {"range": ["90d"]}, shared=True, is_default=True)
    own = saved_views.save(of(bob), "Mine", {"range": ["7d"]}, is_default=True)

    client.force_login(alice)
    assert open_page(client, DASHBOARD)[0] == f"{DASHBOARD}?range=90d&view={shared.pk}"
    client.force_login(bob)
    assert open_page(client, DASHBOARD)[0] == f"{DASHBOARD}?range=7d&view={own.pk}"


def test_beside_a_default_the_page_without_a_view_has_an_address(client: Client, bob: User) -> None:
    client.force_login(bob)
    saved_views.save(of(bob), "Mine", {"range": ["7d"]}, is_default=True)

    page = client.get(f"{DASHBOARD}?range=30d", headers={"HX-Request": "true"})

    assert page["HX-Push-Url"] == f"{DASHBOARD}?view=0"
    assert client.get(f"{DASHBOARD}?view=0").status_code == 200
    assert '<a href="/o/acme/?view=0">No view</a>' in page.content.decode()


@pytest.mark.parametrize("page", ["changes/", "calls/", "find/?q=usage"])
def test_beside_a_default_other_pages_lead_back_to_the_same(client: Client, bob: User, page: str) -> None:
    client.force_login(bob)
    saved_views.save(of(bob), "Mine", {"range": ["7d"]}, is_default=True)

    content = client.get(f"/o/acme/{page}").content.decode()

    assert 'href="/o/acme/?view=0"' in content


def test_views_are_found_by_their_names(client: Client, alice: User, bob: User) -> None:
    saved_views.save(of(bob), "Weekly review", {"range": ["7d"]})
    shared = saved_views.save(of(alice), "Weekly costs", {"range": ["7d"]}, shared=True)
    client.force_login(alice)

    content = client.get("/o/acme/find/?q=weekly").content.decode()

    assert f'href="{LIST}{shared.pk}/"' in content
    assert "Weekly review" not in content


def test_without_views_addresses_are_as_ever(client: Client, bob: User) -> None:
    client.force_login(bob)

    page = client.get(f"{DASHBOARD}?range=30d&view=1", headers={"HX-Request": "true"})

    assert page["HX-Push-Url"] == DASHBOARD
    assert "No view" not in page.content.decode()


def test_what_is_no_longer_valid_is_left_out_and_said(client: Client, bob: User) -> None:
    client.force_login(bob)
    view = saved_views.save(of(bob), "Old", {"range": ["7d"], "by": ["planet"], "not_moon": ["io"]})

    address, page = open_page(client, f"{LIST}{view.pk}/")

    assert address == f"{DASHBOARD}?range=7d&view={view.pk}"
    assert "saved with something that is not valid any more (by, moon): shown without it" in text_of(page)
    assert '<span class="views-changed" hidden>' in page


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"name": "a\0b"}, "Null characters are not allowed."),
        ({"name": "x", "query": "?range=fortnight"}, "Range: There is no choice “fortnight”."),
        ({"name": "x", "query": "?user=%00"}, "User: Null characters are not allowed."),
        ({"name": "x", "query": "?user=" + "y" * 3_600}, "Too much is chosen for a view"),
        ({"name": "x", "dates": "some"}, "There is no choice “some”."),
        ({"name": "Week"}, "There is a view “Week” already."),
    ],
)
def test_what_cannot_be_saved_is_said(client: Client, bob: User, sent: dict[str, str], problem: str) -> None:
    client.force_login(bob)
    saved_views.save(of(bob), "Week", {"range": ["7d"]})

    response = client.post(LIST, sent)

    assert response.status_code == 200
    assert problem in text_of(response.content.decode())
    assert SavedView.objects.count() == 1


def test_many_filters_are_saved_though_they_are_no_short_text(client: Client, bob: User) -> None:
    client.force_login(bob)
    users = [f"person-{number}" for number in range(50)]

    client.post(LIST, {"name": "Team", "query": "?" + "&".join(f"user={name}" for name in users)})

    assert SavedView.objects.get().parameters["user"] == users


def test_a_name_that_is_taken_can_be_mended_without_choosing_again(client: Client, bob: User) -> None:
    client.force_login(bob)
    saved_views.save(of(bob), "Week", {"range": ["7d"]})

    page = client.post(LIST, {"name": "Week", "query": "?by=user", "is_default": "on"}).content.decode()
    again = dict(re.findall(r'<input type="hidden" name="(query|is_default|dates)" value="([^"]*)"', page))
    client.post(LIST, {"name": "Users", **again})

    made = SavedView.objects.get(name="Users")
    assert (made.parameters["by"], made.is_default) == (["user"], True)


def test_views_are_renamed_and_deleted(client: Client, bob: User) -> None:
    client.force_login(bob)
    view = saved_views.save(of(bob), "Week", {"range": ["7d"]})

    response = client.post(f"{LIST}{view.pk}/rename/", {"name": "<b>Seven</b>", "is_default": "on"}, follow=True)
    view.refresh_from_db()
    assert (view.name, view.is_default) == ("<b>Seven</b>", True)
    assert "&lt;b&gt;Seven&lt;/b&gt;" in response.content.decode()
    assert "<b>Seven</b>" not in response.content.decode()
    response = client.post(f"{LIST}{view.pk}/rename/", {"name": ""}, follow=True)
    assert "stays as it was. This field is required." in text_of(response.content.decode())
    response = client.post(f"{LIST}{view.pk}/delete/", follow=True)
    assert "No views yet" in response.content.decode()
    assert not SavedView.objects.exists()


def test_the_list_says_what_each_view_shows(client: Client, alice: User) -> None:
    client.force_login(alice)
    saved_views.save(of(alice), "A", {"range": ["12m"], "by": ["none"], "measure": ["tokens"]})
    saved_views.save(of(alice), "B", {"user": ["alice", "bob"], "planet": ["mars"]}, shared=True)

    page = text_of(client.get(LIST).content.decode())

    assert "Tokens, 12 months" in page
    assert "Cost by model, 30 days, 2 filters. The view was saved with something" in page


@pytest.mark.parametrize("what", ["", "save/", "rename/", "delete/"])
def test_views_of_others_are_not_there(client: Client, alice: User, bob: User, charlie: User, what: str) -> None:
    of_bob = saved_views.save(of(bob), "Bob's", {"range": ["7d"]})
    of_charlie = saved_views.save(of(charlie), "Charlie's", {"range": ["7d"]}, shared=True)
    client.force_login(alice)
    ask = client.post if what else client.get

    for number in (of_bob.pk, of_charlie.pk, 0, 10**18):
        assert ask(f"{LIST}{number}/{what}", {"name": "Mine now", "query": "?by=user"}).status_code == 404
    assert {view.name for view in SavedView.objects.all()} == {"Bob's", "Charlie's"}
    assert all(view.parameters == {"range": ["7d"]} for view in SavedView.objects.all())


@pytest.mark.parametrize("what", ["save/", "rename/", "delete/"])
def test_a_viewer_opens_what_is_the_organizations_and_changes_nothing(
    client: Client, alice: User, bob: User, what: str
) -> None:
    view = saved_views.save(of(alice), "Ours", {"range": ["7d"]}, shared=True)
    client.force_login(bob)

    assert client.post(f"{LIST}{view.pk}/{what}", {"name": "x", "query": "?by=user"}).status_code == 404
    assert client.post(LIST, {"name": "x", "query": "", "shared": "on"}).status_code == 404
    _, page = open_page(client, f"{LIST}{view.pk}/?")
    assert "For everybody" not in page
    page = client.get(f"{DASHBOARD}?by=user&view={view.pk}").content.decode()
    assert f"{LIST}{view.pk}/save/" not in page
    assert "Discard<" in page


def test_a_link_with_somebody_elses_view_shows_the_same_without_it(client: Client, alice: User, bob: User) -> None:
    view = saved_views.save(of(bob), "Bob's secret", {"range": ["7d"]})
    client.force_login(alice)

    page = client.get(f"{DASHBOARD}?range=90d&view={view.pk}").content.decode()

    assert "Bob’s secret" not in page and "Bob&#x27;s secret" not in page
    assert f"view={view.pk}" not in re.sub(r"<main[^>]*>", "", page)


def test_forms_need_their_token(alice: User) -> None:
    view = saved_views.save(of(alice), "Week", {"range": ["7d"]})
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    for address in (LIST, *(f"{LIST}{view.pk}/{what}/" for what in ("save", "rename", "delete"))):
        assert client.post(address, {"name": "x", "query": ""}).status_code == 403
    assert SavedView.objects.get().name == "Week"


def test_the_read_api_takes_an_address_that_was_copied(client: Client, acme: Organization, alice: User) -> None:
    secret = keys.create(acme, "report", None, Kind.READ)[1].text

    response = client.get("/api/v1/usage?range=7d&view=3", headers={"Authorization": f"Bearer {secret}"})

    assert response.status_code == 200


def test_a_member_of_two_organizations_has_views_in_each(client: Client, alice: User, other: Organization) -> None:
    elsewhere = Membership.objects.create(user=alice, organization=other, role=Role.ANALYST)
    view = saved_views.save(elsewhere, "There", {"range": ["7d"]})
    client.force_login(alice)

    assert client.get(f"/o/other/views/{view.pk}/").status_code == 302
    assert client.get(f"{LIST}{view.pk}/").status_code == 404
