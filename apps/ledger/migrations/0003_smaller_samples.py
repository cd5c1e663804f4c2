from django.db import migrations

from apps.database.sampling import smaller_sample


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_attempts_and_breakers")]
    operations = [smaller_sample("applied_chunks")]
