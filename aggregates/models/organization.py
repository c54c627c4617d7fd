"""Who uses the site: people, organizations, and who belongs to which."""

from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower, Now
from django.utils.functional import cached_property

from aggregates.domain.calendars import Calendar
from aggregates.domain.days import zone_names
from aggregates.domain.scopes import EVERYTHING, Scope
from aggregates.models.limited import Limited


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.named(username or "").get()

    def named(self, email: str) -> models.QuerySet["User"]:
        """Find the one user with this address, whatever its case: as the index has it, which lets no two be alike.

        (Other ways to ignore case also take letters for others: ı for i, ſ for s.)
        """
        return self.alias(lowered=Lower("email")).filter(lowered=email.strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user; raises ValidationError for a password that is too easy, whatever a command lets pass."""
        user = self.model(email=self.normalize_email(email), **fields)
        if password is not None:
            validate_password(password, user)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})


class User(AbstractUser):
    """Somebody who logs in, by e-mail address."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    reads_all = models.BooleanField(
        "reads every organization",
        default=False,
        db_default=False,
        help_text="Sees pages and files of every organization, and changes nothing; each visit is in its audit log.",
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[assignment,misc]

    class Meta(AbstractUser.Meta):
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_whatever_case")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it, in one transaction with what a new password ends, of which Django tells the validators."""
        with transaction.atomic():
            super().save(*args, **kwargs)

    @property
    def has_rights(self) -> bool:
        """Say whether the account has rights over the site, which no organization or sign-in provider is to reach."""
        return self.is_staff or self.is_superuser or self.reads_all


def validate_time_zone(name: str) -> None:
    if name not in zone_names():
        raise ValidationError(f"“{name}” is no IANA time zone, such as Europe/Berlin or UTC.")


class Weekday(models.IntegerChoices):
    """The days of a week, as ISO 8601 numbers them."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


class Month(models.IntegerChoices):
    JANUARY = 1
    FEBRUARY = 2
    MARCH = 3
    APRIL = 4
    MAY = 5
    JUNE = 6
    JULY = 7
    AUGUST = 8
    SEPTEMBER = 9
    OCTOBER = 10
    NOVEMBER = 11
    DECEMBER = 12


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def in_use(self) -> Self:
        """Keep to the organizations whose removal nobody has asked for."""
        return self.filter(removal_asked_at=None)

    def named(self, slug: str) -> "Organization":
        """Get the organization that has this slug, or had it, for programs; raises Organization.DoesNotExist."""
        return self.filter(slug=slug).first() or self.get(former_slugs__slug=slug)


class Organization(models.Model):
    """A tenant. Its days are cut in its reporting time zone.

    Once its removal is asked for, nothing is recorded for it, nobody reads it, and the database lets that stay so.
    `scope` is what whoever it was found for may see of its usage; accounts.access says that, and every query obeys.
    """

    scope: Scope = EVERYTHING
    slug = models.SlugField(max_length=64, unique=True, help_text="Names the organization in addresses and commands.")
    name = models.CharField(max_length=200)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="IANA name of the zone whose midnights cut the days of every report.",
    )
    log_from = models.DateField(
        null=True,
        editable=False,
        help_text="The calls of days before this one are no longer in the log; their daily aggregates are.",
    )
    label_attributes = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Attributes of OpenTelemetry spans, and keys of LiteLLM's metadata, that are kept as labels.",
    )
    first_weekday = models.PositiveSmallIntegerField(
        choices=Weekday,
        default=Weekday.MONDAY,
        db_default=Weekday.MONDAY.value,
        help_text="The day that weeks begin with.",
    )
    first_month = models.PositiveSmallIntegerField(
        "first month of the fiscal year",
        choices=Month,
        default=Month.JANUARY,
        db_default=Month.JANUARY.value,
        help_text="The month that fiscal years begin with.",
    )
    members: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="organizations"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    removal_asked_at = models.DateTimeField(null=True, editable=False)
    wanted_time_zone = models.CharField(
        max_length=64,
        default="",
        db_default="",
        editable=False,
        help_text="The zone that the task cluster is to cut its days in; empty where that is done.",
    )
    wanted_time_zone_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    time_zone_problem = models.CharField(
        max_length=300,
        default="",
        db_default="",
        editable=False,
        help_text="Why the zone that was asked for last could not be taken.",
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(first_weekday__in=Weekday.values), name="organization_first_weekday_known"
            ),
            models.CheckConstraint(
                condition=models.Q(first_month__in=Month.values), name="organization_first_month_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a slug that leads to another organization."""
        if FormerSlug.objects.filter(slug=self.slug).exclude(organization=self.pk).exists():
            raise ValidationError({"slug": "Another organization had this slug, and links still lead there."})

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.first_weekday, self.first_month)

    @cached_property
    def key_names(self) -> dict[str, str]:
        """Name its API keys, revoked ones too, by the prefix that calls are recorded with; none within a scope, as they
        are also those of calls out of sight."""
        if self.scope:
            return {}
        named = self.api_keys.values_list("prefix", "name")
        return {prefix: f"{name} ({prefix})" for prefix, name in named}


class FormerSlug(models.Model):
    """A slug that an organization had: links with it lead its members on, and no other organization may take it."""

    slug = models.SlugField(max_length=64, unique=True)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="former_slugs")
    given_up_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.slug


class Role(models.TextChoices):
    """What a member is; accounts.access says what each may do. The highest comes first."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    ANALYST = "analyst", "Analyst"
    VIEWER = "viewer", "Viewer"


SEEING = (Role.ANALYST, Role.VIEWER)  # roles that may be limited to a part of the usage


class Membership(Limited):
    """A user's place in an organization."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    joined_at = models.DateTimeField(null=True, db_default=Now(), editable=False)  # null: before it was noted
    last_seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
            models.CheckConstraint(
                condition=models.Q(limited_to={}) | models.Q(role__in=SEEING), name="membership_limited_to_see"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"
