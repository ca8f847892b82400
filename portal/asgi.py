"""The ASGI application: HTTP and WebSockets. Composition only."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
http = get_asgi_application()

# Below: modules that need Django to be set up.
from apps.core.body import BodyLimit  # noqa: E402
from apps.runs.routing import websocket_urlpatterns  # noqa: E402
from apps.scenarios.data_room import room  # noqa: E402
from apps.teams.sockets import ActorSocketMiddleware  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(http, room),
        "websocket": ActorSocketMiddleware(URLRouter(websocket_urlpatterns)),
    }
)
