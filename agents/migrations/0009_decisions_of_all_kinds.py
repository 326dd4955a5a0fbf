"""Decisions on replacements go to the table that has those of all kinds of request; and back.

Which content was decided on stood in the audit log only: it is taken from there.
"""

from django.db import migrations

BATCH = 2_000


def forward(apps, schema_editor):
    kind = _kind(apps)
    decisions, asked = apps.get_model("approvals", "Decision"), apps.get_model("agents", "ReplacementRequest")
    decided = asked.objects.exclude(decided_by=None).order_by("decided_at", "pk")
    entries = apps.get_model("audit", "AuditEvent").objects.filter(
        action__in=("replacement:approved", "replacement:rejected"), refused=False
    )
    digests = {entry.target_id: entry.detail.get("digest", "") for entry in entries.only("target_id", "detail")}
    decisions.objects.bulk_create(
        (
            decisions(
                content_type=kind,
                request_id=row.pk,
                verdict="reject" if row.state == "rejected" else "approve",
                by_id=row.decided_by_id,
                requested_by_id=row.requested_by_id,
                at=row.decided_at,
                comment=row.comment,
                digest=digests.get(str(row.pk), ""),
            )
            for row in decided.iterator(BATCH)
        ),
        batch_size=BATCH,
    )


def backward(apps, schema_editor):
    kind = _kind(apps)
    decisions, asked = apps.get_model("approvals", "Decision"), apps.get_model("agents", "ReplacementRequest")
    for one in decisions.objects.filter(content_type=kind).exclude(verdict="cancel").order_by("pk").iterator(BATCH):
        asked.objects.filter(pk=one.request_id).update(decided_by=one.by_id, comment=one.comment)
    decisions.objects.filter(content_type=kind).delete()


def _kind(apps):
    return apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="agents", model="replacementrequest"
    )[0]


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0008_newest_proof"),
        ("approvals", "0001_decisions"),
        ("audit", "0006_strangers_refusals"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    run_before = [("audit", "0008_content")]  # the details of entries, which are read here, have no column from there on

    operations = [
        migrations.RunPython(forward, backward),
    ]
