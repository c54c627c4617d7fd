"""What a new password ends, by whichever page or command it is set: whoever sets one may mean to shut somebody out."""

from django.contrib.auth.base_user import AbstractBaseUser

from aggregates.accounts.email_addresses import forget_change
from aggregates.accounts.passkeys import keep_as_factors
from aggregates.models import User


class EndsOtherWaysIn:
    """A validator, as Django tells these of each new password when it saves it, and of no old one that is hashed anew.

    Sessions hold a hash of the password, and end by themselves.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Take any: others say what is too easy."""

    def get_help_text(self) -> str:
        return "A new password ends all other sessions, and passkeys no longer log in without it."

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """End them in the transaction that saves the password."""
        if isinstance(user, User):
            end_other_ways_in(user)


def end_other_ways_in(user: User) -> None:
    """Forget an address that is not confirmed, and let passkeys log in alone no longer."""
    forget_change(user)
    keep_as_factors(user)
