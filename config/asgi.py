"""The portal as an ASGI application: live pages by server-sent events beside Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

# Django must be set up before anything that knows a model is imported.
pages = get_asgi_application()

from channels.auth import AuthMiddlewareStack

from dashboards.live import LiveConsumer

application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                path("live/", AuthMiddlewareStack(LiveConsumer.as_asgi())),
                re_path("", pages),  # type: ignore[arg-type]  # channels takes applications here
            ]
        ),
    }
)
