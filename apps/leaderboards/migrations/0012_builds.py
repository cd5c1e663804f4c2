"""Builds of boards. Which events an open one counts is part of what boards count: a new stamp."""

import django.db.models.functions.datetime
from django.db import migrations, models

TRIGGER = """
CREATE TRIGGER boards_stamp AFTER INSERT OR UPDATE OF state OR DELETE OR TRUNCATE ON board_builds
  FOR EACH STATEMENT EXECUTE FUNCTION stamp_boards();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("leaderboards", "0011_bounds"),
    ]

    operations = [
        migrations.CreateModel(
            name="BoardBuildEvent",
            fields=[
                ("event_id", models.UUIDField(primary_key=True, serialize=False)),
            ],
            options={
                "db_table": "board_build_events",
            },
        ),
        migrations.AddField(
            model_name="board",
            name="generation",
            field=models.IntegerField(
                db_default=0, default=0, help_text="Of its entries; its orders in Redis bear it"
            ),
        ),
        migrations.CreateModel(
            name="BoardBuild",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C", null=True)),
                ("board", models.TextField(db_collation="C", null=True)),
                (
                    "definition",
                    models.TextField(
                        default="",
                        help_text="JSON, as it is declared over HTTP; empty: as the boards are",
                    ),
                ),
                (
                    "version",
                    models.IntegerField(
                        help_text="Of the board that it changes; 0: there was none", null=True
                    ),
                ),
                ("state", models.TextField()),
                (
                    "approved",
                    models.BooleanField(default=False, help_text="It is switched once it is built"),
                ),
                ("asked_by", models.TextField(default="")),
                ("reason", models.TextField(default="")),
                ("error", models.TextField(default="")),
                (
                    "backend_pid",
                    models.IntegerField(
                        help_text="Of the builder's session in PostgreSQL", null=True
                    ),
                ),
                ("events", models.BigIntegerField(help_text="Read from the log", null=True)),
                (
                    "refused",
                    models.BigIntegerField(
                        help_text="Of them, with no score that it takes", null=True
                    ),
                ),
                (
                    "changed",
                    models.BigIntegerField(
                        help_text="Entries that differ from those before", null=True
                    ),
                ),
                (
                    "report",
                    models.JSONField(
                        help_text="How the board differs; scores are strings", null=True
                    ),
                ),
                (
                    "stale",
                    models.JSONField(
                        default=list, help_text="Periods that lost entries, for Redis"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("started_at", models.DateTimeField(null=True)),
                ("switched_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "board_builds",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "building")),
                        fields=("state",),
                        name="board_builds_open",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("state__in", ("asked", "building", "ready")),
                            models.Q(("definition", ""), _negated=True),
                        ),
                        fields=("game_id", "board"),
                        name="board_builds_pending",
                    ),
                ],
            },
        ),
        migrations.RunSQL(TRIGGER, "DROP TRIGGER boards_stamp ON board_builds"),
    ]
