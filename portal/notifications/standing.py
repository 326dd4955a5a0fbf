"""What stands in somebody's notification area, in SQL by hand.

Every page asks for it, and every open page again and again: putting the question together with the ORM took ten times
as long as answering it. Who sees which entries is also said by `visible_to()`, for lists; tests hold both to the same.
"""

from datetime import datetime, timedelta

from django.db import connection

from portal.accounts.models import User
from portal.notifications.models import Notification

KEPT = timedelta(hours=24)
"""How long an ended entry stays in the area unless it is dismissed."""
FORGOTTEN = timedelta(days=7)
"""A running entry that nobody has touched for so long leaves the area; the list still has it."""
ALL = 2**31

STANDING = """
SELECT s.*, COUNT(*) OVER () AS number
FROM (
  SELECT n.*
  FROM notifications_notification n
  WHERE (
      n.user_id = %(person)s
      OR n.subscription_id IN (SELECT m.subscription_id FROM accounts_membership m WHERE m.user_id = %(person)s)
      {or_approvers}
    )
    AND n.updated_at >= %(forgotten)s
    AND (n.updated_at >= %(kept)s OR n.state = 'running')
    AND NOT EXISTS (
      SELECT 1 FROM notifications_dismissal d
      WHERE d.notification_id = n.id AND d.user_id = %(person)s AND d.at >= n.updated_at
    )
  ORDER BY CASE n.state WHEN 'running' THEN 0 ELSE 1 END, n.updated_at DESC, n.id
  LIMIT %(counted)s
) s
ORDER BY CASE s.state WHEN 'running' THEN 0 ELSE 1 END, s.updated_at DESC, s.id
LIMIT %(most)s
"""
FOR_PEOPLE = STANDING.format(or_approvers="")
FOR_APPROVERS = STANDING.format(or_approvers="OR n.for_approvers = %(yes)s")


def standing_of(user: User, now: datetime, *, most: int = ALL, counted: int = ALL) -> tuple[list[Notification], int]:
    """What runs, then what ended lately and was not dismissed since, the latest first: at most `most` entries.

    With them their whole number, counted up to `counted`. One query.
    """
    values: dict[str, object] = {
        "person": user.pk,
        "forgotten": connection.ops.adapt_datetimefield_value(now - FORGOTTEN),
        "kept": connection.ops.adapt_datetimefield_value(now - KEPT),
        "counted": counted,
        "most": most,
    }
    if user.is_approver:
        rows = list(Notification.objects.raw(FOR_APPROVERS, {**values, "yes": True}))
    else:
        rows = list(Notification.objects.raw(FOR_PEOPLE, values))
    return rows, rows[0].number if rows else 0  # type: ignore[attr-defined]  # beside the columns
