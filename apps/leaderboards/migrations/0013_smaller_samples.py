from django.db import migrations

from apps.database.sampling import smaller_sample


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0012_builds")]
    operations = [
        smaller_sample("leaderboards_applied_events"),
        smaller_sample("leaderboards"),
        smaller_sample("board_attempts"),
    ]
