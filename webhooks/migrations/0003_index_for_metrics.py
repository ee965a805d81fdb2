from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0016_change_request_id'),
        ('webhooks', '0002_previous_secret'),
    ]

    operations = [
        # The jobs, the only writer, wait for them.
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['created_at'], name='webhook_event_pending'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('state', 'failed')), fields=['id'], name='webhook_event_failed'),
        ),
    ]
