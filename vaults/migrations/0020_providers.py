from django.db import migrations, models


class Migration(migrations.Migration):
    """Regions have a kind of home for vaults, and operations remember what its steps have begun elsewhere."""

    dependencies = [("vaults", "0019_machine_count")]

    operations = [
        migrations.AddField("operation", "memory", models.JSONField(default=dict)),
        migrations.AddField("operation", "waiting_since", models.DateTimeField(null=True)),
        migrations.AddField(
            "region", "provider", models.CharField(default="containers", editable=False, max_length=16)
        ),
    ]
