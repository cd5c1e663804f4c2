from django.db import migrations

from apps.database.sampling import smaller_sample


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [smaller_sample("events")]
