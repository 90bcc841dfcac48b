"""The load as a process of its own: `python -m cockpit.demo.load --url … --rate 60 --status FILE`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections import deque
from pathlib import Path

from cockpit.demo.load import Load
from cockpit.demo.tally import Tally

LONGEST = 4 * 3600.0  # seconds; a forgotten demo stops asking by itself
WINDOW = 5  # seconds over which the rate is averaged


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cockpit.demo.load", description="Ask at a fixed rate and count the answers.")
    parser.add_argument("--url", action="append", required=True, help="http://… (several take turns)")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second in all")
    parser.add_argument("--status", type=Path, required=True, help="rewritten each second: JSON")
    parser.add_argument("--seconds", type=float, default=LONGEST, help="stop by itself after that long")
    chosen = parser.parse_args(arguments)
    asyncio.run(_run(tuple(chosen.url), chosen.rate, chosen.status, min(chosen.seconds, LONGEST)))
    return 0


async def _run(urls: tuple[str, ...], rate: float, status: Path, seconds: float) -> None:
    """Until the time is over, a signal comes, or the directory of the status file is gone."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    deadline = time.monotonic() + seconds
    counts: deque[tuple[float, int]] = deque(maxlen=WINDOW + 1)
    async with Load(urls, rate) as load:
        while not stop.is_set() and time.monotonic() < deadline:
            counts.append((time.monotonic(), load.tally.requests))
            if not await asyncio.to_thread(write_status, status, load.tally, _per_second(counts)):
                return
            try:
                async with asyncio.timeout(min(1.0, max(0.0, deadline - time.monotonic()))):
                    await stop.wait()
            except TimeoutError:
                continue
    await asyncio.to_thread(write_status, status, load.tally, 0.0)


def _per_second(counts: deque[tuple[float, int]]) -> float:
    (first_at, first), (last_at, last) = counts[0], counts[-1]
    return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


def write_status(path: Path, tally: Tally, per_second: float) -> bool:
    """A reader sees the old text or the new one, never half of it. False when the directory is gone."""
    text = json.dumps(
        {
            "per_second": round(per_second, 1),
            "requests": tally.requests,
            "lost": tally.lost,
            "errors": tally.errors,
            "at": time.time(),
        }
    )
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(text)
        beside.replace(path)
    except FileNotFoundError:
        return False
    return True
