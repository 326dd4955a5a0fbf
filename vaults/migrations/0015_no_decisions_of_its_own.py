"""The table that decisions on requests for vaults had to themselves goes away, now that it is empty of news.

A migration of its own: PostgreSQL alters no table in a transaction that has written rows with foreign keys.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("vaults", "0014_decisions_of_all_kinds")]

    operations = [migrations.DeleteModel(name="Decision")]
