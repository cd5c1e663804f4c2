"""Who declared a board, when, why and how; boards from before have a first version, by nobody."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

FIRST = """
INSERT INTO board_versions (board_id, version, definition, changed_by, reason, created_at)
SELECT id, version,
       jsonb_build_object('name', name, 'event_types', to_jsonb(event_types), 'score', score,
                          'where', CASE "where" WHEN '' THEN '{}' ELSE "where"::jsonb END,
                          'operator', operator, 'order', "order", 'periods', to_jsonb(periods),
                          'season', season, 'timezone', timezone),
       '', 'declared before versions were kept', created_at
  FROM boards
"""


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0005_where_and_season")]

    operations = [
        migrations.AlterModelOptions(
            name="board", options={"permissions": (("declare_board", "Can declare boards"),)}
        ),
        migrations.AddField(
            model_name="board",
            name="version",
            field=models.IntegerField(db_default=1, default=1, help_text="Of its definition"),
        ),
        migrations.CreateModel(
            name="BoardVersion",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("definition", models.JSONField(help_text="As it is declared over HTTP")),
                ("changed_by", models.TextField()),
                ("reason", models.TextField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "board",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="leaderboards.board",
                    ),
                ),
            ],
            options={
                "db_table": "board_versions",
                "constraints": [
                    models.UniqueConstraint(fields=("board", "version"), name="board_versions_key")
                ],
            },
        ),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
    ]
