"""`python -m routing.gateway`: the router's process. One only: the decisions about all requests are in its memory."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping

import uvloop

from routing.gateway.process import AlreadyRunning, serve
from routing.gateway.settings import SettingsError, read_settings
from routing.gateway.stops import Unreadable

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def main(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Serve until asked to end. Exits with a line that says what is wrong."""
    refuse_several(arguments, environ)
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        sys.exit(str(error))
    os.umask(0o077)
    logging.basicConfig(level=settings.log_level, format=LOG_FORMAT)
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn raises the signal again once it has ended: the wish was followed, so nothing is left to do.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(settings))
        except (AlreadyRunning, Unreadable) as error:
            sys.exit(str(error))


def refuse_several(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Exit when several processes are wished for: each would decide on its own about the same servers."""
    if arguments or environ.get("WEB_CONCURRENCY", "1").strip() not in ("", "1"):
        sys.exit("The router takes no arguments and runs as one process: unset WEB_CONCURRENCY")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
