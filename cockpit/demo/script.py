"""Plays the demo's story without a terminal, and believes only what customers were answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cockpit.demo import play
from cockpit.demo.crowd import RATE
from cockpit.demo.load import Load
from cockpit.demo.repo import Shop
from cockpit.demo.tally import Answer, Outcome
from cockpit.demo.world import World
from cockpit.model import Operation, OperationState, PlacementKey
from cockpit.protocol import Link
from cockpit.text import took

KEY = PlacementKey("checkout", "production")
SWITCHED = 5.0  # seconds after an operation's end within which customers must be on the release
TURNS_BAD = 60.0  # seconds, of which the release itself takes 20
ENOUGH = 30  # errors to tell their share by
CALM = 5.0  # seconds without an error after the rollback

Say = Callable[[str], None]


@dataclass
class Witness:
    """The answers that customers of checkout got."""

    answers: list[Answer] = field(default_factory=list)

    def see(self, answer: Answer) -> None:
        if "checkout" in answer.url:
            self.answers.append(answer)

    def of(self, release: str, since: float) -> list[Answer]:
        """Asked after `since`, oldest answer first."""
        return [each for each in self.answers if each.release == release and each.sent_at >= since]

    def errors(self, since: float) -> list[Answer]:
        return [
            each for each in self.answers if each.outcome is Outcome.ANSWERED and each.status >= 500
            and each.sent_at >= since
        ]  # fmt: skip

    def share_of_errors(self, since: float) -> float:
        asked = [each for each in self.answers if each.sent_at >= since]
        return len(self.errors(since)) / max(1, len(asked))


class Story:
    """Each scene says what happened; the story went as told when every scene's claims held."""

    def __init__(self, link: Link, shop: Shop, load: Load, witness: Witness, say: Say) -> None:
        self._link, self._shop, self._load, self._witness, self._say = link, shop, load, witness, say
        self.as_told = True

    async def play(self) -> bool:
        await self._good_deploy()
        await self._bad_deploy()
        bad = await self._release_that_turns_bad()
        await self._rollback(bad)
        stats = self._load.stats()
        self._scene(
            "customers",
            f"{stats.requests} requests, {stats.lost} lost, {stats.errors} answered 5xx by the bad release",
            stats.lost == 0 and stats.wrong == 0,
        )
        return self.as_told

    async def _good_deploy(self) -> None:
        started = time.monotonic()
        operation = await self._deploy("declined")
        moved = await self._serves(operation)
        self._scene(
            "good deploy",
            f"{name(operation)} {operation.state} and has the customers, {took(time.monotonic() - started)}",
            operation.state is OperationState.SUCCEEDED and moved,
        )

    async def _bad_deploy(self) -> None:
        operation = await self._deploy("stripe")
        ended, failure, before = time.monotonic(), operation.failure, f"r{operation.from_release}"
        still = await play.until(lambda: bool(self._witness.of(before, ended)), SWITCHED)
        nobody = not self._witness.of(name(operation), 0.0)
        cause = f"{failure.step}: {failure.summary} · {failure.line}" if failure else "no cause was named"
        self._scene(
            "bad deploy",
            f"{name(operation)} {operation.state} at {cause}; {before} still serves",
            operation.state is OperationState.FAILED and still and nobody and "STRIPE_KEY" in cause,
        )

    async def _release_that_turns_bad(self) -> Operation:
        operation = await self._deploy("tax")
        switched = time.monotonic()
        moved = await self._serves(operation)
        turned = await play.until(lambda: len(self._witness.errors(switched)) >= ENOUGH, TURNS_BAD)
        first = self._witness.errors(switched)[0].ended_at if turned else switched
        self._scene(
            "turns bad",
            f"{name(operation)} passed its checks; first 500 {took(first - switched)} after the deploy, then "
            f"{100 * self._witness.share_of_errors(first):.0f} % of the customers",
            operation.state is OperationState.SUCCEEDED and moved and turned,
        )
        return operation

    async def _rollback(self, bad: Operation) -> None:
        """To the release that served before: what `B` proposes here."""
        good = bad.from_release or 1
        asked = time.monotonic()
        operation = await play.roll_back(self._link, KEY, good)
        back = await play.until(lambda: bool(self._witness.of(f"r{good}", asked)), SWITCHED)
        first = min((each.ended_at for each in self._witness.of(f"r{good}", asked)), default=asked)
        ended = time.monotonic()
        await asyncio.sleep(CALM)
        errors = len(self._witness.errors(ended))
        self._scene(
            "rollback",
            f"to r{good}: its first answer after {1000 * (first - asked):.0f} ms, then {errors} × 5xx in {CALM:g} s",
            operation.state is OperationState.SUCCEEDED and back and errors == 0,
        )

    async def _deploy(self, change: str) -> Operation:
        return await play.once_ready(lambda: play.deploy(self._link, KEY, self._shop[change]))

    async def _serves(self, operation: Operation) -> bool:
        ended = time.monotonic()
        return await play.until(lambda: bool(self._witness.of(name(operation), ended)), SWITCHED)

    def _scene(self, title: str, text: str, held: bool) -> None:
        self.as_told &= held
        self._say(f"{'✔' if held else '✖'} {title:<12} {text}")


def name(operation: Operation) -> str:
    return f"r{operation.to_release}" if operation.to_release is not None else "the release"


async def play_script(world: World, link: Link, shop: Shop, say: Say) -> bool:
    """Whether all went as told."""
    witness = Witness()
    async with Load(world.customer_urls(), RATE, witness.see) as load:
        if not await play.until(lambda: load.tally.requests > load.tally.lost, 10.0):
            say("✖ customers    nobody was answered")
            return False
        return await Story(link, shop, load, witness, say).play()
