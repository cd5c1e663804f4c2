"""Bounds of boards, and what they remember of a player."""

from django.db import migrations, models

import apps.leaderboards.fields


class Migration(migrations.Migration):
    dependencies = [
        ("leaderboards", "0010_moderation"),
    ]

    operations = [
        migrations.AddField(
            model_name="board",
            name="bounds",
            field=models.TextField(
                db_default="", default="", help_text="Canonical JSON: what is held in quarantine"
            ),
        ),
        migrations.CreateModel(
            name="Attempts",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("game_id", models.TextField(db_collation="C")),
                ("board", models.TextField(db_collation="C")),
                ("period", models.TextField(db_collation="C")),
                ("period_start", models.DateTimeField()),
                ("player_id", models.TextField(db_collation="C")),
                ("attempts", models.BigIntegerField()),
                ("last_at", models.DateTimeField(null=True)),
                ("last_event", models.UUIDField(null=True)),
                (
                    "last_score",
                    apps.leaderboards.fields.ExactDecimalField(
                        decimal_places=40, max_digits=120, null=True
                    ),
                ),
            ],
            options={
                "db_table": "board_attempts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("player_id", "game_id", "board", "period", "period_start"),
                        name="board_attempts_key",
                    )
                ],
            },
        ),
    ]
