"""Passkeys that log in alone: those that were made for it, until the account has a new password."""

from allauth.mfa.models import Authenticator

from aggregates.accounts.audit_events import logs_of
from aggregates.db import audit
from aggregates.models import Event, User

ALONE = "alone"  # beside what allauth keeps of a passkey


def logs_in_alone(passkey: Authenticator) -> bool:
    """Say whether a passkey does in the place of address and password; the others are second factors."""
    return passkey.data.get(ALONE) is True


def let_log_in_alone(passkey: Authenticator) -> bool:
    """Let a passkey that was just made log in alone, in the caller's transaction; say no if its user, as the request
    found them, has a new password meanwhile. The row is locked as whoever saves a password locks it.
    """
    if User.objects.select_for_update().get(pk=passkey.user_id).password != passkey.user.password:
        return False
    passkey.data[ALONE] = True
    passkey.save(update_fields=["data"])
    return True


def keep_as_factors(user: User) -> None:
    """Let none of the user's passkeys log in alone any longer, in the caller's transaction.

    They stay second factors: were they gone, whoever reads the account's mail would need none.
    """
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    for passkey in passkeys.filter(**{f"data__{ALONE}": True}).select_for_update():
        passkey.data[ALONE] = False
        passkey.save(update_fields=["data"])
        was, became = {"kind": passkey.type, "alone": True}, {"kind": passkey.type, "alone": False}
        audit.write_for(logs_of(user), Event.FACTOR_CHANGED, about=user.pk, before=was, after=became)
