"""Django's own commands give no easy password either."""

import pytest
from django.core.management import CommandError, call_command

from aggregates.models import User
from tests.processes import run_on_terminal
from tests.words import COMMON, NUMERIC, TOO_SHORT

EASY = {
    "elevenchars": TOO_SHORT,
    "602214076299": NUMERIC,
    "qwerty123456": COMMON,
    "dana@example.com": "The password is too similar to the e-mail address.",
}


@pytest.mark.parametrize(("password", "said"), EASY.items())
def test_an_easy_password_from_the_environment_is_refused(
    db: None, monkeypatch: pytest.MonkeyPatch, password: str, said: str
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)

    with pytest.raises(CommandError, match=said):
        call_command("createsuperuser", "--noinput", "--email", "dana@example.com")
    assert not User.objects.exists()


def test_a_good_one_is_taken(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "battery staple")
    call_command("createsuperuser", "--noinput", "--email", "dana@example.com", verbosity=0)
    assert User.objects.get().check_password("battery staple")


@pytest.mark.django_db(transaction=True)
def test_the_question_whether_to_take_it_anyway_does_not_help() -> None:
    status, shown = run_on_terminal(
        *("createsuperuser", "--email", "dana@example.com"),
        answers=(
            ("Password: ", "elevenchars"),
            ("Password (again): ", "elevenchars"),
            ("create user anyway? [y/N]: ", "y"),
        ),
    )
    assert (status, f"CommandError: {TOO_SHORT}" in shown) == (1, True), shown
    assert not User.objects.exists()
