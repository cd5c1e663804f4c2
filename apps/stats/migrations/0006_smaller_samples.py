from django.db import migrations

from apps.database.sampling import smaller_sample


class Migration(migrations.Migration):
    dependencies = [("stats", "0005_aggregates")]
    operations = [
        smaller_sample("stats_applied_events"),
        smaller_sample("player_statistics_daily"),
        smaller_sample("player_sessions"),
        smaller_sample("player_aggregates"),
    ]
