"""The command `python -m routing.simulator CONFIG.json`: runs its servers until it is told to end."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from routing.simulator.config import Config, ConfigError, load
from routing.simulator.serve import simulated


async def run(config: Config) -> None:
    """Print where each server listens, then wait for SIGINT or SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with simulated(config) as running:
        for name, server in running.servers.items():
            about = f"{name}  {server.config.engine}  {server.config.model}"
            sys.stdout.write(f"{server.url}  {about}\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m routing.simulator", description="Simulated inference servers."
    )
    parser.add_argument("config", type=Path, help="a JSON file; see docs/simulator.md")
    logging.basicConfig(format="%(levelname)s %(message)s")
    try:
        asyncio.run(run(load(parser.parse_args().config)))
    except ConfigError as error:
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
