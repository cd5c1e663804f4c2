"""Decisions upon scores, hidden players, and who did what; their changes stamp the boards."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.leaderboards.fields

# Only what people decide: a worker that holds scores looks its own decisions up, and one row that
# all workers update would have them wait for each other.
TRIGGERS = """
CREATE TRIGGER hidden_players_stamp AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON hidden_players
  FOR EACH STATEMENT EXECUTE FUNCTION stamp_boards();
CREATE TRIGGER score_decisions_stamp AFTER INSERT OR UPDATE ON score_decisions
  FOR EACH ROW WHEN (NEW.state <> 'held') EXECUTE FUNCTION stamp_boards();
"""
NO_TRIGGERS = """
DROP TRIGGER hidden_players_stamp ON hidden_players;
DROP TRIGGER score_decisions_stamp ON score_decisions;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("leaderboards", "0006_board_versions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Decision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C")),
                ("board", models.TextField(db_collation="C")),
                ("event_id", models.UUIDField()),
                ("player_id", models.TextField(db_collation="C")),
                ("event_timestamp", models.DateTimeField()),
                (
                    "score",
                    apps.leaderboards.fields.ExactDecimalField(decimal_places=40, max_digits=120),
                ),
                (
                    "rule",
                    models.TextField(
                        help_text="Which bound held it; removed where a person did at once"
                    ),
                ),
                ("detail", models.TextField(db_default="", default="")),
                (
                    "state",
                    models.TextField(
                        choices=[("held", "held"), ("released", "released"), ("removed", "removed")]
                    ),
                ),
                (
                    "board_version",
                    models.IntegerField(help_text="Of the definition; 0 of the default board"),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("decided_by", models.TextField(db_default="", default="")),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "score_decisions",
                "permissions": (("moderate", "Can hide players, and release and remove scores"),),
                "indexes": [
                    models.Index(
                        fields=["game_id", "board", "player_id", "id"],
                        name="score_decisions_player",
                    ),
                    models.Index(fields=["game_id", "state", "id"], name="score_decisions_game"),
                    models.Index(fields=["state", "id"], name="score_decisions_state"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("game_id", "board", "event_id"), name="score_decisions_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HiddenPlayer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C")),
                (
                    "board",
                    models.TextField(db_collation="C", help_text="Empty: every board of the game"),
                ),
                ("player_id", models.TextField(db_collation="C")),
                ("hidden_by", models.TextField()),
                (
                    "hidden_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("reason", models.TextField()),
            ],
            options={
                "db_table": "hidden_players",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("game_id", "player_id", "board"), name="hidden_players_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C")),
                ("board", models.TextField(db_collation="C")),
                ("period", models.TextField(db_collation="C")),
                ("period_start", models.DateTimeField()),
                ("player_id", models.TextField(db_collation="C")),
                ("version", models.BigIntegerField()),
            ],
            options={
                "db_table": "board_tombstones",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("game_id", "board", "period", "period_start", "player_id"),
                        name="board_tombstones_key",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ModerationAct",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C")),
                ("board", models.TextField(db_collation="C")),
                ("player_id", models.TextField(db_collation="C")),
                ("event_id", models.UUIDField(null=True)),
                ("action", models.TextField(help_text="hide, unhide, remove, release, restore")),
                (
                    "before",
                    models.TextField(
                        help_text="The decision's state before; empty: there was none"
                    ),
                ),
                ("after", models.TextField(help_text="And then")),
                ("actor", models.TextField()),
                (
                    "acted_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("reason", models.TextField()),
                (
                    "undo_of",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="leaderboards.moderationact",
                    ),
                ),
            ],
            options={
                "db_table": "moderation_log",
                "indexes": [
                    models.Index(fields=["game_id", "id"], name="moderation_log_game"),
                    models.Index(
                        fields=["game_id", "player_id", "id"], name="moderation_log_player"
                    ),
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
