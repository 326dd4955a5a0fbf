"""Changes to people, subscriptions and memberships: each with its audit entry, in one transaction.

Only administrators, and the system itself, may do these; one's own password is the exception. People are never deleted,
since the audit log refers to them: they are deactivated.
"""

from dataclasses import dataclass, fields

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet

from portal.accounts import signing_in, tokens
from portal.accounts.actors import Actor
from portal.accounts.models import Membership, Subscription, User
from portal.audit.record import record
from portal.errors import DomainError, Invalid, NotAllowed, StaleState


class LastAdministrator(DomainError):
    """Somebody must be left who can administer."""

    code = "last_administrator"
    status = 409


@dataclass(frozen=True)
class Roles:
    """The roles that are not memberships."""

    is_approver: bool = False
    is_auditor: bool = False
    is_administrator: bool = False

    @classmethod
    def of(cls, user: User) -> "Roles":
        """Those that the person has."""
        return cls(**{field.name: getattr(user, field.name) for field in fields(cls)})

    @property
    def names(self) -> list[str]:
        """As the audit log and pages say them."""
        return [field.name.removeprefix("is_") for field in fields(self) if getattr(self, field.name)]


def create_user(
    actor: Actor, username: str, password: str, *, full_name: str = "", email: str = "", **flags: bool
) -> User:
    """A person who can sign in; `flags` are those of Roles. Raises Invalid, with messages for each field."""
    require_administrator(actor)
    roles = Roles(**flags)
    user = User(username=username.strip(), full_name=full_name.strip(), email=email.strip(), **vars(roles))
    user.set_password(_strong(password, user, field="password"))
    _validate(user)
    with transaction.atomic():
        user.save()
        record("user:create", actor=actor, target=user, detail={"roles": roles.names})
    return user


def describe_user(actor: Actor, user: User, *, full_name: str, email: str) -> None:
    """Change the name and the address that are shown."""
    require_administrator(actor)
    with transaction.atomic():
        user = _locked(User.objects.filter(pk=user.pk)).get()
        old = {"full_name": user.full_name, "email": user.email}
        user.full_name, user.email = full_name.strip(), email.strip()
        _validate(user)
        user.save(update_fields=["full_name", "email"])
        record("user:describe", actor=actor, target=user, detail={"from": old})


def set_roles(actor: Actor, user: User, roles: Roles) -> None:
    """Give and take roles, from the next request on. Raises LastAdministrator."""
    require_administrator(actor)
    with transaction.atomic():
        user, others = _with_administrators(user)
        old = Roles.of(user)
        if old == roles:
            return
        if old.is_administrator and user.is_active and not roles.is_administrator:
            _require_one(others, instead_of=user)
        User.objects.filter(pk=user.pk).update(**vars(roles))
        record("user:set-roles", actor=actor, target=user, detail={"from": old.names, "to": roles.names})


def set_active(actor: Actor, user: User, active: bool) -> None:
    """Let a person in, or shut them out: then sessions and tokens end for good. Raises LastAdministrator."""
    require_administrator(actor)
    with transaction.atomic():
        user, others = _with_administrators(user)
        if user.is_active == active:
            return
        if active:
            User.objects.filter(pk=user.pk).update(is_active=True)
            record("user:activate", actor=actor, target=user)
            return
        if user.is_administrator:
            _require_one(others, instead_of=user)
        User.objects.filter(pk=user.pk).update(is_active=False, session_round=F("session_round") + 1)
        record("user:deactivate", actor=actor, target=user, detail={"tokens_revoked": tokens.revoke_all(user)})


def set_password(actor: Actor, user: User, password: str) -> None:
    """Give a person another password; their sessions and tokens end. Raises Invalid for a weak one."""
    require_administrator(actor)
    user.set_password(_strong(password, user, field="password"))
    with transaction.atomic():
        user.save(update_fields=["password"])
        record("user:set-password", actor=actor, target=user, detail={"tokens_revoked": tokens.revoke_all(user)})


def change_own_password(old: str, new: str, *, actor: Actor) -> int:
    """Change the actor's own password; their other sessions and their tokens end. The number of those tokens.

    Raises Invalid for a wrong `old` and a weak `new` one, Throttled for one wrong `old` too many.
    """
    user = actor.person
    signing_in.confirm(old, actor=actor, field="old")
    known = user.password
    user.set_password(_strong(new, user, field="new"))
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, password=known).update(password=user.password):
            raise StaleState("Your password has just been changed.", remedy="Sign in again.")
        revoked = tokens.revoke_all(user)
        record("user:change-password", actor=actor, target=user, detail={"tokens_revoked": revoked})
    return revoked


def create_subscription(actor: Actor, name: str, *, description: str = "") -> Subscription:
    """A unit that can own vaults. Raises Invalid for a name that is taken or empty."""
    require_administrator(actor)
    subscription = Subscription(name=name.strip(), description=description.strip())
    _validate(subscription)
    with transaction.atomic():
        subscription.save()
        record("subscription:create", actor=actor, target=subscription)
    return subscription


def rename_subscription(actor: Actor, subscription: Subscription, name: str, *, description: str | None = None) -> None:
    """Another name, and another description when one is given. Raises Invalid for a name that is taken or empty."""
    require_administrator(actor)
    with transaction.atomic():
        row = Subscription.objects.select_for_update().get(pk=subscription.pk)
        old = row.name
        row.name = name.strip()
        row.description = row.description if description is None else description.strip()
        _validate(row)
        row.save(update_fields=["name", "description"])
        record("subscription:rename", actor=actor, target=row, detail={"from": old, "to": row.name})


def add_member(actor: Actor, user: User, subscription: Subscription) -> Membership:
    """Make the person IT staff of the subscription; one who is already stays so."""
    require_administrator(actor)
    with transaction.atomic():
        membership, new = Membership.objects.get_or_create(user=user, subscription=subscription)
        if new:
            record("membership:add", actor=actor, target=subscription, detail={"person": user.username})
    return membership


def remove_member(actor: Actor, user: User, subscription: Subscription) -> None:
    """Take the person out of the subscription, from the next request on."""
    require_administrator(actor)
    with transaction.atomic():
        if Membership.objects.filter(user=user, subscription=subscription).delete()[0]:
            record("membership:remove", actor=actor, target=subscription, detail={"person": user.username})


def require_administrator(actor: Actor) -> None:
    """Raise NotAllowed for people who are not administrators; the system and the command line may."""
    if actor.read_only or (actor.user is not None and not (actor.user.is_active and actor.user.is_administrator)):
        raise NotAllowed("Only administrators may do this.")


def _with_administrators(user: User) -> tuple[User, list[User]]:
    """The person and the other administrators, locked by one query and so in one order: two administrators who remove
    each other at once neither wait for each other nor both succeed."""
    concerned = User.objects.filter(Q(pk=user.pk) | Q(is_administrator=True, is_active=True))
    rows = {row.pk: row for row in _locked(concerned).order_by("pk")}
    return rows.pop(user.pk), list(rows.values())


def _locked(people: QuerySet[User]) -> QuerySet[User]:
    """Not against entries of the audit log that refer to the same people: whoever writes one may hold other rows."""
    return people.select_for_update(no_key=True)


def _require_one(administrators: list[User], *, instead_of: User) -> None:
    if not administrators:
        raise LastAdministrator(
            f"{instead_of} is the only administrator.", remedy="Make somebody else an administrator first."
        )


def _strong(password: str, user: User, *, field: str) -> str:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise Invalid({field: error.messages}) from error
    return password


def _validate(row: User | Subscription) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise Invalid(error.message_dict) from error
