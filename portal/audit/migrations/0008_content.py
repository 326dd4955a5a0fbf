"""An entry keeps its exact bytes, once: `content` holds the details too, in the form of RFC 8785.

Entries of before get the content that they would have now. What was computed by the database from the details becomes a
column like the others. Backwards the details come out of the content again.
"""

import json
from datetime import UTC

import rfc8785
from django.db import migrations, models

import portal.core.fields

BATCH = 2_000


def forward(apps, schema_editor):
    events = apps.get_model("audit", "AuditEvent")
    _rewrite(
        schema_editor,
        events,
        "UPDATE audit_auditevent SET content = %s, serial_kept = %s WHERE id = %s",
        lambda event: (rfc8785.dumps(_content(event)).decode(), event.serial, event.pk),
    )


def backward(apps, schema_editor):
    events = apps.get_model("audit", "AuditEvent")
    _rewrite(
        schema_editor,
        events,
        "UPDATE audit_auditevent SET detail = %s WHERE id = %s",
        lambda event: (json.dumps(_storable(json.loads(event.content)["detail"])), event.pk),
    )


def _rewrite(schema_editor, events, statement, values):
    """Runs the statement for each entry, in batches by number: the log may have millions."""
    last = 0
    while batch := list(events.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(statement, [values(event) for event in batch])
        last = batch[-1].pk
    if schema_editor.connection.vendor == "postgresql":  # which alters no table while checks of its rows are due
        schema_editor.connection.check_constraints()


def _storable(value):
    """Without the one character that PostgreSQL's JSON does not have."""
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value.replace("\0", "?") if isinstance(value, str) else value


def _content(event):
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    return {
        "at": at,
        "actor": {"id": event.actor_id, "label": event.actor_label},
        "via": event.via,
        "address": event.address,
        "action": event.action,
        "refused": event.refused,
        "target": {"type": event.target_type, "id": event.target_id, "label": event.target_label},
        "vault": str(event.vault_id) if event.vault_id else None,
        "detail": _kept(event.detail),
    }


def _kept(value):
    if isinstance(value, dict):
        return {_kept(name): _kept(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_kept(one) for one in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_person_and_action")]

    operations = [
        migrations.AddField("auditevent", "content", models.TextField(default=""), preserve_default=False),
        migrations.AddField(
            "auditevent", "serial_kept", portal.core.fields.KeyField(blank=True, default=""), preserve_default=False
        ),
        migrations.RunPython(forward, backward),
        migrations.RemoveIndex("auditevent", "audit_serial"),
        migrations.RemoveField("auditevent", "serial"),
        migrations.RenameField("auditevent", "serial_kept", "serial"),
        migrations.AddIndex(
            "auditevent",
            models.Index(condition=models.Q(("serial__gt", "")), fields=["serial", "-id"], name="audit_serial"),
        ),
        migrations.RemoveField("auditevent", "detail"),
    ]
