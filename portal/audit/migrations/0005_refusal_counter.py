from django.db import migrations


class Migration(migrations.Migration):
    """What it counts are refusals: the model says so now."""

    dependencies = [("audit", "0004_credential_serials")]

    operations = [migrations.RenameModel("RefusalFlood", "RefusalCounter")]
