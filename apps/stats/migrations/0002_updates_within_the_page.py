from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("stats", "0001_initial"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="playerstatistics",
            index=models.Index(fields=["game_id", "-id"], name="player_statistics_game"),
        ),
        RemoveIndexConcurrently(
            model_name="playerstatistics",
            name="player_statistics_busiest",
        ),
        # Room in each page for the next version of a row, which then touches no index.
        migrations.RunSQL(
            "ALTER TABLE player_statistics SET (fillfactor = 70)",
            "ALTER TABLE player_statistics RESET (fillfactor)",
        ),
    ]
