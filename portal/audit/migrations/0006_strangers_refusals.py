from django.db import migrations, models


class Migration(migrations.Migration):
    """Floods of strangers are bounded for all of them together; the default of the database is for a version before."""

    dependencies = [("audit", "0005_refusal_counter")]

    operations = [
        migrations.AddField(
            model_name="refusalcounter",
            name="stranger",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
