"""Boards that count only some events, and boards that begin anew by a cron expression."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0004_latest_event")]

    operations = [
        migrations.AddField(
            model_name="board",
            name="where",
            field=models.TextField(
                db_default="",
                default="",
                help_text="Canonical JSON: pointer into data -> conditions",
            ),
        ),
        migrations.AddField(
            model_name="board",
            name="season",
            field=models.TextField(
                db_default="",
                default="",
                help_text="Cron expression in the time zone, as 0 4 1 * *",
            ),
        ),
    ]
