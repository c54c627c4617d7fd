"""Links to set a new password: good for a day and for one password, and kept nowhere, as each proves itself."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from aggregates.accounts.audit_events import logs_of
from aggregates.db import audit
from aggregates.models import Event, User


def make_link(user: User, site: str) -> str:
    """Make a link; `site` is the address of the site's first page.

    It holds a keyed hash of password, address and last log-in: once one of these changes it is good no longer.
    """
    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key])
    return site.rstrip("/") + path


def hand_over_link(user: User, site: str) -> str:
    """Make a link for somebody else to hand over, and write that down, in the caller's transaction."""
    audit.write_for(logs_of(user), Event.PASSWORD_LINK, about=user.pk)
    return make_link(user, site)
