"""Which event a latest score is of; two events may have one time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0003_boards_stamp")]

    operations = [
        migrations.AlterField(
            model_name="board",
            name="operator",
            field=models.TextField(
                choices=[
                    ("best", "best"),
                    ("sum", "sum"),
                    ("latest", "latest"),
                    ("min", "min"),
                    ("max", "max"),
                    ("count", "count"),
                ]
            ),
        ),
        migrations.AddField(
            model_name="entry",
            name="event_id",
            field=models.UUIDField(help_text="The event of a latest score; else empty", null=True),
        ),
    ]
