"""The new keys take over, in one moment; and a stamp changes with every change of `boards`."""

from django.db import migrations, models

NEW = """
ALTER TABLE leaderboards DROP CONSTRAINT leaderboards_entry;
ALTER TABLE leaderboards
  ADD CONSTRAINT leaderboards_entry UNIQUE USING INDEX leaderboards_entry_new;
-- Room on each page for the next version of its rows: an update then writes no index.
ALTER TABLE leaderboards SET (fillfactor = 70);
"""
OLD = """
ALTER TABLE leaderboards DROP CONSTRAINT leaderboards_entry;
ALTER TABLE leaderboards ADD CONSTRAINT leaderboards_entry
  UNIQUE (game_id, board, period, period_start, player_id);
ALTER TABLE leaderboards RESET (fillfactor);
CREATE UNIQUE INDEX leaderboards_entry_new
    ON leaderboards (player_id, game_id, board, period, period_start);
"""
TRIGGER = """
INSERT INTO boards_stamp (id, stamp) VALUES (1, gen_random_uuid());
CREATE FUNCTION stamp_boards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO boards_stamp (id, stamp) VALUES (1, gen_random_uuid())
      ON CONFLICT (id) DO UPDATE SET stamp = EXCLUDED.stamp;
  RETURN NULL;
END $$;
CREATE TRIGGER boards_stamp AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON boards
  FOR EACH STATEMENT EXECUTE FUNCTION stamp_boards();
"""


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0002_narrower_keys")]

    operations = [
        migrations.RemoveIndex(model_name="entry", name="leaderboards_rank"),
        migrations.RemoveIndex(model_name="entry", name="leaderboards_alltime_score"),
        migrations.RemoveIndex(model_name="entry", name="leaderboards_player"),
        migrations.RunSQL(
            NEW,
            OLD,
            state_operations=[
                migrations.RemoveConstraint(model_name="entry", name="leaderboards_entry"),
                migrations.AddConstraint(
                    model_name="entry",
                    constraint=models.UniqueConstraint(
                        fields=("player_id", "game_id", "board", "period", "period_start"),
                        name="leaderboards_entry",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BoardsStamp",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("stamp", models.UUIDField()),
            ],
            options={"db_table": "boards_stamp"},
        ),
        migrations.RunSQL(
            TRIGGER, "DROP TRIGGER boards_stamp ON boards; DROP FUNCTION stamp_boards()"
        ),
    ]
