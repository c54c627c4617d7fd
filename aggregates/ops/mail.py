"""Mails that the site sends: by the task cluster, so that no page waits for a mail server."""

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
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
CONFIRMATION = "aggregates.tasks.send_confirmation"
NOTICE = "aggregates.tasks.send_notice"
INVITATION = "aggregates.tasks.send_invitation"


def request_reset(email: str, site: str) -> None:
    """Have a mail sent that resets a password, if there is such an account: asking takes as long where there is none.

    `site` is the address of its first page. The task makes the link itself, so that no queue holds it.
    """
    async_task(TASK, email, site, group="mail", save=False)


def request_invitation(invitation: Invitation, site: str, by: User, *, anew: bool = False) -> None:
    """Have a mail sent with the link of an invitation, as a user wants, which the task makes itself, so that no queue
    holds it; `anew` if there may have been a link before."""
    async_task(INVITATION, invitation.pk, site, by.pk, anew, group="mail", save=False)


def request_confirmation(address: EmailAddress, site: str) -> None:
    """Have a mail sent to a new address with a link that confirms it, which the task makes itself."""
    async_task(CONFIRMATION, address.pk, site, group="mail", save=False)


def request_notice(before: str, after: str) -> None:
    """Have an account's address of before told which one it has now."""
    async_task(NOTICE, before, after, group="mail", save=False)


def send_confirmation(number: int, site: str) -> None:
    """Send the link of a new address that is still wanted."""
    address = EmailAddress.objects.select_related("user").filter(pk=number, verified=False).first()
    if address is None or not settings.SENDS_MAIL:
        return
    path = reverse("account_confirm_email", args=[EmailConfirmationHMAC(address).key])
    body = render_to_string("account/new_address.txt", {"link": site.rstrip("/") + path, "email": address.user.email})
    EmailMessage("Your new address for Usage", body, settings.DEFAULT_FROM_EMAIL, [address.email]).send()


def send_notice(before: str, after: str) -> None:
    """Tell an address that an account has another one now."""
    if settings.SENDS_MAIL:
        body = render_to_string("account/address_changed.txt", {"before": before, "after": after})
        EmailMessage("Your address for Usage has changed", body, settings.DEFAULT_FROM_EMAIL, [before]).send()


def send_invitation(number: int, site: str, by: int = 0, anew: bool = True) -> None:
    """Send the mail of an invitation that is still open; `by` is the user who wanted that.

    Its link is the first that anybody sees, or, `anew`, ends the one of before.
    """
    invitation = Invitation.objects.select_related("organization", "created_by").filter(pk=number).first()
    if invitation is None or not invitation.email or not settings.SENDS_MAIL:
        return
    try:
        if anew:
            secret = invitations.renew(invitation, User.objects.filter(pk=by).first())
        else:
            secret = invitations.make_link(invitation)[0]
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
