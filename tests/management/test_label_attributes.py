"""label_attributes: which attributes become labels; never what was asked or answered."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from aggregates.models import Organization


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("label_attributes", "acme", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_they_are_set_shown_and_cleared(acme: Organization) -> None:
    assert run() == ""
    assert run("--set", "app.tenant", " region", "app.tenant") == run() == "app.tenant\nregion\n"
    assert run("--clear") == run() == ""


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["x" * 65], "expected names of at most 64 bytes"),
        ([str(number) for number in range(17)], "expected at most 16 names, got 17"),
        *(
            ([name], "is what was asked or answered, which is not kept")
            for name in (
                "gen_ai.input.messages",
                "gen_ai.prompt.0.content",
                "input.value",
                "ai.prompt",
                "llm.completions",
            )
        ),
    ],
)
def test_what_is_none_is_refused(acme: Organization, names: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("--set", *names)
    assert Organization.objects.get().label_attributes == []


def test_the_admin_refuses_the_same(client: Any, staff: Any, acme: Organization) -> None:
    client.force_login(staff)
    form = {
        **{"slug": "acme", "name": "Acme", "time_zone": "UTC", "first_weekday": "1", "first_month": "1"},
        **{f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")},
    }
    url = f"/admin/aggregates/organization/{acme.pk}/change/"
    page = client.post(url, {**form, "label_attributes": '["gen_ai.prompt"]'})
    assert "is what was asked or answered" in page.content.decode()
    assert client.post(url, {**form, "label_attributes": '["app.tenant"]'}).status_code == 302
    assert Organization.objects.get().label_attributes == ["app.tenant"]
