"""Logs as clients follow them: nothing is lost in silence, and no slow reader holds anything up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cockpit.engine.api import Peer
from cockpit.errors import Refused
from cockpit.model import LogLine
from cockpit.protocol import LOGS_CLOSE, LOGS_OPEN, LogChunk, LogKind, LogOpened, LogRequest, Subscription
from tests.engine.rig import ANA, SHOP, Rig, rig
from tests.fakes.target import Program


class Reader(Peer):
    """A client that keeps every line it was sent."""

    def __init__(self) -> None:
        self.chunks: list[LogChunk] = []
        super().__init__(ANA, "tui", lambda note: self.chunks.append(note) if isinstance(note, LogChunk) else None)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        return tuple(line for chunk in self.chunks for line in chunk.lines)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def ended(self) -> bool:
        return any(chunk.ended for chunk in self.chunks)


async def follow(shop: Rig, reader: Reader, **asked: Any) -> LogOpened:
    request = LogRequest(LogKind.SERVICE, SHOP, **asked)
    opened: LogOpened = await shop.engine.handlers()[LOGS_OPEN.name](reader, request)
    return opened


def _container(shop: Rig, release: int) -> str:
    return next(each.name for each in shop.target.containers if each.release == release)


async def test_a_service_log_begins_with_the_last_lines_and_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.programs[1] = Program(lines=(("out", "one"), ("err", "two"), ("out", "three")))
        await shop.shipped("first")
        reader = Reader()
        await follow(shop, reader, tail=2)
        await shop.until(lambda: reader.texts == ["two", "three"])
        shop.target.write(_container(shop, 1), "four")
        await shop.until(lambda: reader.texts == ["two", "three", "four"])
        assert [line.number for line in reader.lines] == [0, 1, 2]
        assert reader.lines[0].stream == "err"


async def test_a_service_log_follows_the_release_that_takes_the_customers(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        reader = Reader()
        await follow(shop, reader)
        shop.target.write(_container(shop, 1), "from r1")
        await shop.until(lambda: "from r1" in reader.texts)
        await shop.shipped("second")
        await shop.until(lambda: "── r2 took traffic ──" in reader.texts)
        shop.target.write(_container(shop, 2), "from r2")
        await shop.until(lambda: "from r2" in reader.texts)


async def test_a_log_that_never_pauses_still_changes_to_the_new_release(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        reader = Reader()
        await follow(shop, reader)
        await shop.shipped("second")
        noisy = _container(shop, 1)

        def changed() -> bool:
            shop.target.write(noisy, "noise")
            return "── r2 took traffic ──" in reader.texts

        await shop.until(changed)


async def test_a_replica_that_crashes_and_comes_back_is_followed_on_without_doubling_a_line(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        reader = Reader()
        await follow(shop, reader)
        container = _container(shop, 1)
        shop.target.write(container, "before")
        await shop.until(lambda: "before" in reader.texts)
        shop.target.die(container)
        shop.target.write(container, "after")
        await shop.until(lambda: "after" in reader.texts)
        assert reader.texts.count("before") == 1
        assert not reader.ended


async def test_docker_that_goes_away_is_said_once_and_the_log_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.target.down = "connection refused"
        reader = Reader()
        await follow(shop, reader)
        await shop.until(lambda: "connection refused" in reader.texts)
        shop.target.down = ""
        shop.target.write(_container(shop, 1), "back")
        await shop.until(lambda: "back" in reader.texts)
        assert reader.texts.count("connection refused") == 1


async def test_without_following_a_log_that_cannot_be_read_ends_with_the_reason(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        shop.target.down = "connection refused"
        reader = Reader()
        await follow(shop, reader, follow=False)
        await shop.until(lambda: reader.ended)
        assert reader.chunks[-1].note == "connection refused"


async def test_an_operation_log_is_whole_for_those_who_come_late(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        await shop.until(lambda: 1 in shop.running())
        reader = Reader()
        await shop.engine.handlers()[LOGS_OPEN.name](reader, LogRequest(LogKind.OPERATION, operation=running.id))
        shop.prober.answers.clear()
        await shop.ended(running)
        await shop.until(lambda: reader.ended)
        path = next(shop.paths.logs.glob("*.log"))
        assert len(reader.lines) == len(path.read_text().splitlines())
        assert [line.number for line in reader.lines] == list(range(len(reader.lines)))


async def test_a_client_may_have_so_many_logs_open_and_closing_one_makes_room(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        reader = Reader()
        opened = [await follow(shop, reader) for _ in range(16)]
        with pytest.raises(Refused, match="16 logs are open"):
            await follow(shop, reader)
        await shop.engine.handlers()[LOGS_CLOSE.name](reader, Subscription(opened[0].subscription))
        await follow(shop, reader)


async def test_a_client_that_leaves_takes_its_logs_with_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        reader = Reader()
        shop.engine.joined(reader)
        await follow(shop, reader)
        shop.engine.left(reader)
        for _ in range(16):
            await follow(shop, reader)
