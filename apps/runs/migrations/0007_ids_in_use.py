from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0006_data'),
    ]

    operations = [
        migrations.AddField(
            model_name='runworker',
            name='ids_in_use',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
