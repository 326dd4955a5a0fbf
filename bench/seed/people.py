"""Subscriptions and people."""

from portal.accounts.models import Membership, Subscription, User

MEMBER_OF = 10
"""So many subscriptions has an ordinary member of IT staff."""


def subscriptions(number: int) -> list[Subscription]:
    """`number` subscriptions, the bulk of the small and the large estate alike."""
    return Subscription.objects.bulk_create(Subscription(name=f"Team {index:04d}") for index in range(number))


def people(owners: list[Subscription], viewers: int) -> dict[str, User]:
    """An auditor, a member of ten subscriptions, one of all, requesters, and `viewers` of one subscription each."""
    auditor = User(username="auditor", is_auditor=True)
    names = ["member", "central", *(f"requester-{index:02d}" for index in range(50))]
    staff = [User(username=name) for name in [*names, *(f"viewer-{index:03d}" for index in range(viewers))]]
    for user in (auditor, *staff):
        user.set_unusable_password()
    found = {user.username: user for user in User.objects.bulk_create([auditor, *staff])}
    Membership.objects.bulk_create(
        [
            *(Membership(user=found["member"], subscription=owner) for owner in owners[:MEMBER_OF]),
            *(Membership(user=found["central"], subscription=owner) for owner in owners),
            *(
                Membership(user=found[f"viewer-{index:03d}"], subscription=owners[index % len(owners)])
                for index in range(viewers)
            ),
        ]
    )
    return found
