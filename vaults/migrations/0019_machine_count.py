from django.db import migrations, models


class Migration(migrations.Migration):
    """What counts a vault's machines is called so, and the vault's machines are `machines`."""

    dependencies = [("vaults", "0018_digests_by_rfc_8785")]

    operations = [
        migrations.RemoveIndex("vault", "vaults_vaul_state_9c48ab_idx"),
        migrations.RemoveIndex("vault", "vault_machines_name"),
        migrations.RenameField("vault", "machines", "machine_count"),
        migrations.AddIndex(
            "vault", models.Index(fields=["machine_count", "name_key", "id", "state"], name="vault_machines_name")
        ),
        migrations.AddIndex(
            "vault",
            models.Index(fields=["state", "last_backup_at", "machine_count"], name="vaults_vaul_state_b9eb0b_idx"),
        ),
    ]
