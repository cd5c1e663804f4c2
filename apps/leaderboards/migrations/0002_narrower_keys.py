"""The keys of `leaderboards` anew, built while it is written.

Of the old ones three were written with each update and a fourth was fat; see decision 0036. Each
statement can be repeated, so that an interrupted build begins again.
"""

from django.db import migrations, models

ENTRY = """
CREATE UNIQUE INDEX CONCURRENTLY leaderboards_entry_new
    ON leaderboards (player_id, game_id, board, period, period_start)
"""
SCOPE = """
CREATE INDEX CONCURRENTLY leaderboards_scope
    ON leaderboards (game_id, board, period, period_start, id)
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leaderboards", "0001_initial")]

    operations = [
        migrations.RunSQL(
            ["DROP INDEX CONCURRENTLY IF EXISTS leaderboards_entry_new", ENTRY],
            "DROP INDEX CONCURRENTLY IF EXISTS leaderboards_entry_new",
        ),
        migrations.RunSQL(
            ["DROP INDEX CONCURRENTLY IF EXISTS leaderboards_scope", SCOPE],
            "DROP INDEX CONCURRENTLY IF EXISTS leaderboards_scope",
            state_operations=[
                migrations.AddIndex(
                    model_name="entry",
                    index=models.Index(
                        fields=["game_id", "board", "period", "period_start", "id"],
                        name="leaderboards_scope",
                    ),
                )
            ],
        ),
    ]
