"""The columns that decisions on replacements were in go away; in a migration of its own, as in `vaults`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_decisions_of_all_kinds")]

    operations = [
        migrations.RemoveConstraint(model_name="replacementrequest", name="replacement_decided_by_another"),
        migrations.RemoveField(model_name="replacementrequest", name="comment"),
        migrations.RemoveField(model_name="replacementrequest", name="decided_by"),
    ]
