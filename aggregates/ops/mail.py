"""Mails that the site sends: by the task cluster, so that no page waits for a mail server."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django_q.tasks import async_task

from aggregates.accounts import invitations, passwords
from aggregates.accounts.sign_in import must_use_provider
from aggregates.domain.texts import shown
from aggregates.models import Invitation, User

TASK = "aggregates.tasks.send_reset"
INVITATION = "aggregates.tasks.send_invitation"


def request_reset(email: str, site: str) -> None:
    """Have a mail sent that resets a password, if there is such an account: asking takes as long where there is none.

    `site` is the address of its first page. The task makes the link itself, so that no queue holds it.
    """
    async_task(TASK, email, site, group="mail", save=False)


def request_invitation(invitation: Invitation, site: str) -> None:
    """Have a mail sent with the link of an invitation, which the task makes itself, so that no queue holds it."""
    async_task(INVITATION, invitation.pk, site, group="mail", save=False)


def send_invitation(number: int, site: str) -> None:
    """Send the mail of an invitation that is still open."""
    invitation = Invitation.objects.select_related("organization", "created_by").filter(pk=number).first()
    if invitation is None or not invitation.email or not settings.SENDS_MAIL:
        return
    try:
        secret = invitations.renew(invitation)
    except invitations.NotOpen:
        return
    context = {
        "link": site.rstrip("/") + reverse("follow-invitation", args=[secret]),
        "organization": shown(invitation.organization.name),
        "role": invitation.get_role_display().lower(),
        "by": invitation.created_by.email if invitation.created_by else "",
        "days": invitations.GOOD_FOR.days,
    }
    subject = " ".join(f"Join {context['organization']} on Usage".split())
    body = render_to_string("account/invitation.txt", context)
    EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [invitation.email]).send()
    invitations.note_sent(invitation)


def send_reset(email: str, site: str) -> None:
    """Send the mail to the address of the account, not to the one that was typed: letters that look alike differ."""
    user = User.objects.named(email).filter(is_active=True).first()
    if user is None or not user.has_usable_password() or not settings.SENDS_MAIL or must_use_provider(user):
        return
    body = render_to_string("account/reset.txt", {"link": passwords.make_link(user, site), "email": user.email})
    EmailMessage("Your password for Usage", body, settings.DEFAULT_FROM_EMAIL, [user.email]).send()
