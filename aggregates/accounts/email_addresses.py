"""Another e-mail address for an account: allauth's flow, in whose table an account has rows only while it changes."""

from allauth.account.models import EmailAddress
from django.db import transaction

from aggregates.accounts import attempts, audit_events
from aggregates.domain.texts import shown
from aggregates.models import User

OF_ACCOUNT = attempts.Limit("new addresses of an account", 5, 3600)
TO_ADDRESS = attempts.Limit("new addresses by mail to an address", 3, 3600)
FROM_ADDRESS = attempts.Limit("new addresses asked for from an address", 10, 3600)


class CannotChange(ValueError):
    """The account keeps its address; the message says why to people."""


def lock(user: User) -> User:
    """Read the user's row as it is, and hold it until the transaction ends: an address and a password change one after
    the other. Raises CannotChange where there is none any more."""
    found = User.objects.select_for_update().filter(pk=user.pk).first()
    if found is None:
        raise CannotChange("This account is no more.")
    return found


def note_current(user: User) -> None:
    """Have allauth know the address that the account has, whoever gave it; only the user's own row says it."""
    with transaction.atomic():
        current = lock(user).email.lower()
        others = EmailAddress.objects.exclude(user=user).filter(email=current, verified=True)
        own = EmailAddress.objects.filter(user=user)
        if own.filter(email=current, verified=True, primary=True).exists():
            return
        others.delete()
        own.exclude(verified=False).delete()
        own.filter(email=current).delete()
        EmailAddress.objects.create(user=user, email=current, verified=True, primary=True)


def wanted_by(user: User) -> EmailAddress | None:
    """Return the address that the user is to confirm, if there is one."""
    found: EmailAddress | None = EmailAddress.objects.filter(user=user, verified=False).order_by("pk").last()
    return found


def admit_mail(user: User, wanted: str, network: str) -> None:
    """Count a mail to a new address; raises TooManyAttempts."""
    keys = {
        OF_ACCOUNT.key(str(user.pk)): OF_ACCOUNT,
        TO_ADDRESS.key(wanted.strip().casefold()): TO_ADDRESS,
        FROM_ADDRESS.key(network): FROM_ADDRESS,
    }
    attempts.admit_all(keys, user.email, network)


def forget_change(user: User) -> None:
    """Let an address that nobody has confirmed yet be no longer wanted: the account has a new password or address, or
    is the provider's."""
    EmailAddress.objects.filter(user=user).delete()


def lock_wanted(wanted: EmailAddress) -> EmailAddress:
    """Read and hold an address that is to be confirmed; raises CannotChange where it is no longer wanted, another
    account has it, or this one has no password to log in with."""
    user = lock(wanted.user)
    address: EmailAddress | None = (
        EmailAddress.objects.select_for_update().filter(pk=wanted.pk, user=user, verified=False).first()
    )
    if address is None:
        raise CannotChange("This link is no longer good: the account has a new password, or its address changed.")
    address.user = user
    _check_free(address)
    return address


def _check_free(address: EmailAddress) -> None:
    if User.objects.named(address.email).exclude(pk=address.user_id).exists():
        raise CannotChange(f"{shown(address.email)} is the address of another account.")
    if not address.user.has_usable_password() or not address.user.is_active:
        raise CannotChange("This account takes no new address.")


def note_changed(user: User) -> None:
    """Write that the account has another address, in the caller's transaction, and that nothing is under way."""
    audit_events.write_address_changed(user)
    forget_change(user)
