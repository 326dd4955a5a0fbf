"""People, the subscriptions that own vaults, who belongs to them, and tokens for the API."""

import uuid
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac


class UserManager(BaseUserManager["User"]):
    """Finds people by user name, whatever its case."""

    def named(self, username: str) -> models.QuerySet["User"]:
        """The person of that user name, at most one: compared as the constraint does it.

        `iexact` may find two: it makes capitals, and those of a dotless i and of a long s are I and S.
        """
        return self.alias(lowered=Lower("username")).filter(lowered=Lower(models.Value(username)))

    def get_by_natural_key(self, username: str | None) -> "User":
        """The person of that user name; raises User.DoesNotExist."""
        return self.named(username or "").get()


class User(AbstractBaseUser):
    """A person. The flags and the memberships are the roles, and combine: IT staff are those with a membership."""

    username = models.CharField(max_length=150, validators=[UnicodeUsernameValidator()])
    full_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    is_approver = models.BooleanField("approver", default=False)
    is_auditor = models.BooleanField("auditor", default=False)
    is_administrator = models.BooleanField("administrator", default=False)
    must_change_password = models.BooleanField(default=False, editable=False)  # somebody else knows it
    session_round = models.PositiveIntegerField(default=0, editable=False)  # raising it ends the person's sessions
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_unique_ci",
                violation_error_message="There is somebody of this user name already.",
            )
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def display_name(self) -> str:
        """The full name where there is one, else the user name."""
        return self.full_name or self.username

    @property
    def is_staff(self) -> bool:
        """What Django's admin site asks before it lets somebody in."""
        return self.is_administrator

    @property
    def sees_all(self) -> bool:
        """Approvers and auditors see every subscription."""
        return self.is_approver or self.is_auditor

    def get_session_auth_hash(self) -> str:
        """What a session must know to go on: it changes with the password and with `session_round`."""
        known = f"{self.session_round}:{super().get_session_auth_hash()}"
        return salted_hmac("portal.accounts.session", known, algorithm="sha256").hexdigest()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Rights on the admin site: administrators have those that the site offers, nobody else any."""
        return self.is_active and self.is_administrator

    def has_module_perms(self, app_label: str) -> bool:
        """As has_perm."""
        return self.is_active and self.is_administrator


class SubscriptionQuerySet(QuerySet["Subscription"]):
    """Subscriptions."""

    def visible_to(self, person: User) -> Self:
        """Those that the person belongs to, by name; all of them for approvers and auditors."""
        return self if person.sees_all else self.filter(memberships__user=person)


class Subscription(models.Model):
    """The unit that owns vaults: a team or a cost centre."""

    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="subscriptions")

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="subscription_name_unique_ci",
                violation_error_message="There is a subscription of this name already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person belongs to a subscription, and is IT staff in it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "subscription"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.user} in {self.subscription}"


class ApiToken(models.Model):
    """A bearer token for the JSON API. Only the SHA-256 of the secret is stored."""

    class Scope(models.TextChoices):
        READ = "read", "Read only"
        FULL = "full", "All that I may do"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=8, choices=Scope.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"])]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        """Whether it opens anything, as far as the token itself goes."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class SignInFailure(models.Model):
    """A try of a password that failed; the throttle counts the recent ones of a name and of an address."""

    username = models.CharField(max_length=150)
    address = models.CharField(max_length=45)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["username", "at"]), models.Index(fields=["address", "at"])]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
