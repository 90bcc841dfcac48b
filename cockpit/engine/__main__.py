"""`python -m cockpit.engine run`: what clients start in the background, and what a service manager runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cockpit.engine import process
from cockpit.engine.api import Engine
from cockpit.paths import Paths, find


def main(arguments: list[str] | None = None, build: process.Build | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    paths = find(chosen.config, chosen.state, shared=False)
    if chosen.socket:
        paths = Paths(paths.config, paths.state, chosen.socket, chosen.group)
    return process.run(paths, build or _build, background=chosen.background)


async def _build(paths: Paths) -> Engine:
    from cockpit.engine.assembly import open_engine

    return await open_engine(paths)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cockpit.engine", description="The cockpit's engine.")
    parser.add_argument("verb", choices=["run"], help="run in the foreground until SIGTERM")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--group", default="", help="with --socket: the Unix group whose members may connect")
    parser.add_argument("--background", action="store_true", help="log to engine.log only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
