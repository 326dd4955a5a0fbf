"""Decisions on requests for vaults go to the table that has those of all kinds of request; and back."""

from django.db import migrations

BATCH = 2_000
SAME = ("verdict", "by_id", "at", "comment", "digest")


def forward(apps, schema_editor):
    kind = _kind(apps)
    new, old = apps.get_model("approvals", "Decision"), apps.get_model("vaults", "Decision")
    rows = old.objects.order_by("pk").values("request_id", "request__requested_by_id", *SAME).iterator(BATCH)
    made = (
        new(content_type=kind, requested_by_id=row.pop("request__requested_by_id"), **row) for row in rows
    )
    new.objects.bulk_create(made, batch_size=BATCH)


def backward(apps, schema_editor):
    kind = _kind(apps)
    new, old = apps.get_model("approvals", "Decision"), apps.get_model("vaults", "Decision")
    rows = new.objects.filter(content_type=kind, stage=1).order_by("pk")
    old.objects.bulk_create(
        (old(**row) for row in rows.values("request_id", *SAME).iterator(BATCH)), batch_size=BATCH
    )
    new.objects.filter(content_type=kind).delete()


def _kind(apps):
    return apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="vaults", model="vaultrequest"
    )[0]


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_decisions"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("vaults", "0013_removals_counted"),
    ]

    operations = [
        migrations.RunPython(forward, backward),
    ]
