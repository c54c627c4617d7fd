"""create_organization makes an organization with its owner, or says what is wrong and makes nothing."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.models import Membership, Organization, Role, User
from tests.processes import run_on_terminal
from tests.words import COMMON, NUMERIC, TOO_SHORT

GOOD = {"name": "Globex", "time_zone": "Europe/Berlin", "admin": "dana@example.com", "password": "long enough indeed"}


def create(slug: str = "globex", **options: str) -> str:
    out = StringIO()
    call_command("create_organization", slug, stdout=out, **{**GOOD, **options})
    return out.getvalue()


def test_a_new_organization_has_its_owner_who_can_log_in(db, client):
    said = create()

    organization = Organization.objects.get(slug="globex")
    assert (organization.name, organization.time_zone) == ("Globex", "Europe/Berlin")
    member = Membership.objects.get(organization=organization)
    assert (member.user.email, member.role) == ("dana@example.com", Role.OWNER)
    assert client.login(username="dana@example.com", password=GOOD["password"])
    assert not member.user.is_staff
    assert "/o/globex/" in said


def test_an_existing_user_becomes_owner_and_keeps_the_password(bob, client):
    said = create(admin="BOB@example.com", password="")

    assert Membership.objects.get(organization__slug="globex").user == bob
    assert client.login(username="bob@example.com", password="correct horse")
    assert "bob@example.com is its owner and keeps the password it had." in said


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"slug": "acme"}, "slug: Organization with this Slug already exists."),
        ({"slug": "not a slug"}, "slug: Enter a valid “slug”"),
        ({"name": ""}, "name: This field cannot be blank."),
        (
            {"time_zone": "Europe/Brlin"},
            "time-zone: “Europe/Brlin” is no IANA time zone, such as Europe/Berlin or UTC.",
        ),
        ({"admin": "dana"}, "email: Enter a valid email address."),
        ({"password": "elevenchars"}, f"password: {TOO_SHORT}"),
        ({"password": "qwerty123456"}, f"password: {COMMON}"),
        ({"password": "602214076299"}, f"password: {NUMERIC}"),
        ({"password": "dana@example.com"}, "password: The password is too similar to the e-mail address."),
        ({"admin": "alice@example.com"}, "alice@example.com has an account already and keeps its password"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(alice, wrong, message):
    before = Organization.objects.count(), User.objects.count(), Membership.objects.count()

    with pytest.raises(CommandError) as error:
        create(**wrong)

    assert message in str(error.value)
    assert before == (Organization.objects.count(), User.objects.count(), Membership.objects.count())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("again", "status", "said"),
    [("long enough indeed", 0, "dana@example.com is its owner"), ("long enough inded", 1, "The two passwords differ.")],
)
def test_without_a_password_it_is_asked_for_twice_and_not_shown(again, status, said):
    ended, shown = run_on_terminal(
        *("create_organization", "globex", "--name", "Globex", "--admin", "dana@example.com"),
        answers=(("Password: ", "long enough indeed"), ("Password (again): ", again)),
    )

    assert (ended, said in shown) == (status, True), shown
    assert "long enough" not in shown
    users = User.objects.filter(email="dana@example.com")
    assert [user.check_password("long enough indeed") for user in users] == ([True] if status == 0 else [])
