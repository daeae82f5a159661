"""`python -m config.portal`: the portal's process, Daphne on the socket that the router relays pages to."""

import os
import sys
from pathlib import Path

from config.env import ConfigurationError

THREADS = "8"  # for Django's synchronous views; each may hold a database connection


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("ASGI_THREADS", THREADS)
    os.umask(0o077)
    try:
        from daphne.server import Server

        from config.asgi import application
    except ConfigurationError as error:
        sys.exit(str(error))
    socket = Path(os.environ["RUN_DIR"]) / "portal.sock"
    socket.unlink(missing_ok=True)
    Server(
        application=application,
        endpoints=[f"unix:{socket}:mode=600"],
        server_name="ilaas",
        http_timeout=None,
        application_close_timeout=5,
        verbosity=0,
    ).run()


if __name__ == "__main__":
    main()
