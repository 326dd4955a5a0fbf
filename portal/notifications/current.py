"""What stands in somebody's notification area, in SQL by hand.

Every page asks for it, and every open page again and again: putting the question together with the ORM took ten times
as long as answering it. Who sees which entries is also said by the model's `visible_to()`, for lists; tests hold both
to the same.

What it costs does not grow with what there is. What ended counts from the moment up to which the person has read, and
each part stops at its limit. For people of few subscriptions the entries of each are looked up; for those of many,
whose entries would all have to be sorted, the latest of the whole site are gone through until enough of them are
theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from portal.accounts.models import Membership, User
from portal.notifications.models import OPEN, Dismissal, Notification, Reading

ENDED_FOR = timedelta(hours=24)
"""How long what ended stays in the area, unless it has been seen or dismissed."""
OPEN_FOR = timedelta(days=14)
"""How long what runs or needs somebody stays, unless it is dismissed or changes; the list has it for longer."""
FEW = 20
"""Up to so many subscriptions their entries are looked up one by one."""

PARTS = ("running", "needs", "ended")
_STATES = {
    "running": "n.state = 'running' AND n.updated_at >= %(open)s",
    "needs": "n.state IN ('attention', 'failed') AND n.updated_at >= %(open)s",
    "ended": "n.state IN ('info', 'succeeded') AND n.updated_at > %(dismissed)s"
    " AND (n.state = 'info' OR n.updated_at > %(seen)s)",
}
# Said once more in the words of the index, so that planners see that it has all of them.
_IN_INDEX = {name: " AND n.state IN ('{}')".format("', '".join(OPEN)) for name in ("running", "needs")}
_TABLES = {
    "notification": Notification._meta.db_table,
    "dismissal": Dismissal._meta.db_table,
    "membership": Membership._meta.db_table,
    "reading": Reading._meta.db_table,
}
# With an OR, or without the JOIN, planners take an index that leads through the entries of everybody.
_OF_FEW = """
  SELECT n.* FROM {notification} n WHERE n.user_id = %(person)s AND {states}
  UNION ALL
  SELECT n.* FROM {membership} m JOIN {notification} n ON n.subscription_id = m.subscription_id
  WHERE m.user_id = %(person)s AND {not_mine} AND {states}"""
_OF_APPROVERS = """
  UNION ALL
  SELECT n.* FROM {notification} n WHERE n.for_approvers = %(yes)s AND {not_mine} AND {states}
  AND NOT EXISTS (
    SELECT 1 FROM {membership} m WHERE m.user_id = %(person)s AND m.subscription_id = n.subscription_id)"""
_NOT_MINE = "(n.user_id IS NULL OR n.user_id <> %(person)s)"
_OF_MANY = """
  SELECT n.* FROM {notification} n
  WHERE {states} AND (n.user_id = %(person)s {or_approvers} OR EXISTS (
    SELECT 1 FROM {membership} m WHERE m.user_id = %(person)s AND m.subscription_id = n.subscription_id))"""
_PART = """
SELECT * FROM (
  SELECT n.*, {place} AS part
  FROM ({theirs}) n
  WHERE NOT EXISTS (
    SELECT 1 FROM {dismissal} d WHERE d.notification_id = n.id AND d.user_id = %(person)s AND d.at >= n.updated_at
  )
  ORDER BY n.updated_at DESC
  LIMIT %(counted)s
) {name}"""
_PLACED = """
SELECT * FROM (
  SELECT p.*, COUNT(*) OVER (PARTITION BY part) AS number,
    ROW_NUMBER() OVER (PARTITION BY part ORDER BY updated_at DESC, id) AS place
  FROM ({parts}) p
) placed
WHERE place <= %(most)s
ORDER BY part, place"""


def _question(*, many: bool, approver: bool) -> str:
    theirs = _OF_MANY if many else _OF_FEW + (_OF_APPROVERS if approver else "")
    states = {name: words + (_IN_INDEX.get(name, "") if many else "") for name, words in _STATES.items()}
    names = {**_TABLES, "not_mine": _NOT_MINE, "or_approvers": "OR n.for_approvers = %(yes)s" if approver else ""}
    parts = (
        _PART.format(place=place, name=name, theirs=theirs.format(states=states[name], **names), **_TABLES)
        for place, name in enumerate(PARTS)
    )
    return _PLACED.format(parts=" UNION ALL ".join(parts))


_QUESTIONS = {(many, some): _question(many=many, approver=some) for many in (False, True) for some in (False, True)}
_READING = """
SELECT %(person)s AS user_id, r.seen_until, r.dismissed_until, (
  SELECT COUNT(*) FROM (SELECT 1 FROM {membership} m WHERE m.user_id = %(person)s LIMIT %(limit)s) counted
) AS memberships
FROM (SELECT 1) once LEFT JOIN {reading} r ON r.user_id = %(person)s""".format(**_TABLES)  # noqa: S608 - names of our own tables


@dataclass(frozen=True)
class Part:
    """The latest entries of what runs, needs somebody or ended, and how many there are, counted up to a limit."""

    entries: Sequence[Notification] = ()
    number: int = 0


@dataclass(frozen=True)
class Current:
    """What stands in the area. `seen_until` is how far the person has read what ended."""

    running: Part
    needs: Part
    ended: Part
    seen_until: datetime


def current_of(user: User, now: datetime, *, most: int, counted: int) -> Current:
    """The latest of each part, at most `most`, and their numbers, counted up to `counted`. Two queries.

    What has succeeded and was seen is not in it, nor what was dismissed since it last changed.
    """
    reading, oldest = _reading(user), now - ENDED_FOR
    dismissed = max(reading.dismissed_until or oldest, oldest)
    seen = max(reading.seen_until or oldest, dismissed)
    adapt = connection.ops.adapt_datetimefield_value
    values: dict[str, object] = {
        "person": user.pk,
        "open": adapt(now - OPEN_FOR),
        "dismissed": adapt(dismissed),
        "seen": adapt(seen),
        "counted": counted,
        "most": most,
        "yes": True,
    }
    many = reading.memberships > FEW  # type: ignore[attr-defined]  # beside the columns
    rows = list(Notification.objects.raw(_QUESTIONS[many, user.is_approver], values))
    running, needs, ended = (_part(rows, place) for place in range(len(PARTS)))
    return Current(running, needs, ended, seen)


def _part(rows: Sequence[Notification], place: int) -> Part:
    entries = [row for row in rows if row.part == place]  # type: ignore[attr-defined]  # beside the columns
    return Part(entries, entries[0].number if entries else 0)  # type: ignore[attr-defined]


def _reading(user: User) -> Reading:
    """How far the person has read, with `memberships`: how many they have, counted up to more than FEW."""
    return next(iter(Reading.objects.raw(_READING, {"person": user.pk, "limit": FEW + 1})))
