"""The web process."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from apps.live.stopping import end_streams_on_signals
from gamemetrics.environment import Environment, KafkaSettings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gamemetrics.settings")
application = get_wsgi_application()
KafkaSettings.read(Environment.of_process()).demand_usable()
end_streams_on_signals()
