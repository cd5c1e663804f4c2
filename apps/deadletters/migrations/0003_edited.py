from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deadletters", "0002_replay")]

    operations = [
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("edited__isnull", False)),
                fields=["event_id"],
                name="dlq_events_edited",
            ),
        ),
    ]
