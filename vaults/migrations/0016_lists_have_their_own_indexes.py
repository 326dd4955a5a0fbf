"""The lists have indexes that begin with these keys; those of the keys alone were chosen instead, and each row read."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_order_by_name_key'),
        ('vaults', '0015_no_decisions_of_its_own'),
    ]

    operations = [
        migrations.AlterField(
            model_name='vault',
            name='region',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='vaults', to='vaults.region'),
        ),
        migrations.AlterField(
            model_name='vault',
            name='subscription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='vaults', to='accounts.subscription'),
        ),
        migrations.AlterField(
            model_name='vaultrequest',
            name='subscription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='accounts.subscription'),
        ),
    ]
