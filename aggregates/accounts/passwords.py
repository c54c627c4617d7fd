"""Links to set a new password: good for a day and for one password, and kept nowhere, as each proves itself."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from aggregates.accounts.access import NoAccess, roles_within
from aggregates.accounts.audit_events import logs_of
from aggregates.accounts.sign_in import is_provider_only
from aggregates.db import audit
from aggregates.models import Event, Membership, User


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


def reachable_from(by: Membership) -> QuerySet[Membership]:
    """Find the members whom another may hand a link: whoever sets a password has the whole account, so it has to belong
    to this organization alone, with no role above and no rights over the site."""
    organization = by.organization
    if is_provider_only(organization):
        return Membership.objects.none()
    elsewhere = Membership.objects.filter(user=OuterRef("user")).exclude(organization=organization)
    found = Membership.objects.filter(organization=organization, role__in=roles_within(by), user__is_active=True)
    others = found.filter(user__is_staff=False, user__is_superuser=False, user__reads_all=False).exclude(
        user=by.user_id
    )
    return others.filter(~Exists(elsewhere)).select_related("user")


def member_for_link(by: Membership, number: int) -> Membership:
    """Find the member that another may make a link for; raises NoAccess."""
    found = reachable_from(by).filter(pk=number).first()
    if found is None:
        raise NoAccess("member")
    return found
