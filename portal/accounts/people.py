"""Changes to people: each with its audit entry, in one transaction.

Only administrators, and the system itself, may do these; one's own password is the exception. People are never deleted,
since the audit log refers to them: they are deactivated.
"""

from dataclasses import dataclass, fields

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet

from portal.accounts import authentication, tokens
from portal.accounts.authentication import Password
from portal.accounts.models import User
from portal.accounts.rules import require_administrator, require_valid
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import DomainError, Invalid, StaleState


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
    """A person who can sign in; `flags` are those of Roles. Raises Invalid, with messages for each field.

    With a password that another person has chosen, changing it is the first thing they do, and the only one they can.
    """
    require_administrator(actor)
    roles = Roles(**flags)
    user = User(username=username.strip(), full_name=full_name.strip(), email=email.strip(), **vars(roles))
    user.set_password(_strong(password, user, field="password"))
    user.must_change_password = _knows_it_too(actor, user)
    require_valid(user)
    with transaction.atomic():
        user.save()
        record(Action.USER_CREATE, actor=actor, target=user, detail={"roles": roles.names})
    return user


def describe_user(actor: Actor, user: User, *, full_name: str, email: str) -> None:
    """Change the name and the address that are shown."""
    require_administrator(actor)
    with transaction.atomic():
        user = _locked(User.objects.filter(pk=user.pk)).get()
        old = {"full_name": user.full_name, "email": user.email}
        user.full_name, user.email = full_name.strip(), email.strip()
        require_valid(user)
        user.save(update_fields=["full_name", "email"])
        record(Action.USER_DESCRIBE, actor=actor, target=user, detail={"from": old})


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
        record(Action.USER_SET_ROLES, actor=actor, target=user, detail={"from": old.names, "to": roles.names})


def set_active(actor: Actor, user: User, active: bool) -> None:
    """Let a person in, or shut them out: then sessions and tokens end for good. Raises LastAdministrator."""
    require_administrator(actor)
    with transaction.atomic():
        user, others = _with_administrators(user)
        if user.is_active == active:
            return
        if active:
            User.objects.filter(pk=user.pk).update(is_active=True)
            record(Action.USER_ACTIVATE, actor=actor, target=user)
            return
        if user.is_administrator:
            _require_one(others, instead_of=user)
        User.objects.filter(pk=user.pk).update(is_active=False, session_round=F("session_round") + 1)
        record(Action.USER_DEACTIVATE, actor=actor, target=user, detail={"tokens_revoked": tokens.revoke_all(user)})


def set_password(actor: Actor, user: User, password: str) -> None:
    """Give a person another password; their sessions and tokens end. Raises Invalid for a weak one.

    They change it when they sign in, before anything else.
    """
    require_administrator(actor)
    user.set_password(_strong(password, user, field="password"))
    user.must_change_password = _knows_it_too(actor, user)
    with transaction.atomic():
        user.save(update_fields=["password", "must_change_password"])
        record(Action.USER_SET_PASSWORD, actor=actor, target=user, detail={"tokens_revoked": tokens.revoke_all(user)})


def change_own_password(old: str, new: str, *, actor: Actor) -> int:
    """Change the actor's own password; their other sessions and their tokens end. The number of those tokens.

    Raises Invalid for a wrong `old` and a weak `new` one, Throttled for one wrong `old` too many.
    """
    user = actor.person
    authentication.reauthenticate(Password(old, field="old"), actor=actor)
    if old == new:
        raise Invalid({"new": ["This is already your password."]})
    known = user.password
    user.must_change_password = False
    user.set_password(_strong(new, user, field="new"))
    with transaction.atomic():
        changed = {"password": user.password, "must_change_password": False}
        if not User.objects.filter(pk=user.pk, password=known).update(**changed):
            raise StaleState("Your password has just been changed.", remedy="Sign in again.")
        revoked = tokens.revoke_all(user)
        record(Action.USER_CHANGE_PASSWORD, actor=actor, target=user, detail={"tokens_revoked": revoked})
    return revoked


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


def _knows_it_too(actor: Actor, user: User) -> bool:
    """Whether the password was chosen by another person, who must not be able to act as this one for long."""
    return actor.user is not None and actor.user.pk != user.pk


def _strong(password: str, user: User, *, field: str) -> str:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise Invalid({field: error.messages}) from error
    return password
