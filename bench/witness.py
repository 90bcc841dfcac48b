"""A load in another network namespace: prints one line an answer, `MONOTONIC RELEASE STATUS OUTCOME`."""

from __future__ import annotations

import asyncio
import signal
import sys

from cockpit.demo.load import Load
from cockpit.demo.tally import Answer


def tell(answer: Answer) -> None:
    words = (f"{answer.ended_at:.4f}", answer.release or "-", str(answer.status), answer.outcome.value)
    print(*words, flush=True)


async def run(url: str, rate: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Load((url,), rate, tell):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2])))
