"""Each action leaves its row, done or refused, whoever asks and whatever the disk says; its head leaves the machine."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cockpit.engine.api import Peer
from cockpit.engine.audit import line_of
from cockpit.engine.syslog import Syslog
from cockpit.engine.syslog import line_of as told
from cockpit.errors import CockpitError, Refused, StoreError
from cockpit.model import Actor, AuditRow, OperationState, Role
from cockpit.protocol import (
    AUDIT,
    AUDIT_VERIFY,
    CALLS,
    CANCEL,
    DEPLOY,
    EDGE_UPGRADE,
    EXEC,
    EXEC_ENDED,
    FREEZE,
    LOCK,
    RECOVER,
    RESTART,
    ROLLBACK,
    STOP_ENGINE,
    TAKEOVER,
    UNFREEZE,
    UNHOLD,
    UNLOCK,
    AuditRequest,
    AuditVerifyRequest,
    Call,
    DeployRequest,
    EdgeUpgradeRequest,
    ExecEnded,
    ExecRequest,
    FreezeRequest,
    LockRequest,
    Nothing,
    OperationRequest,
    RestartRequest,
    RollbackRequest,
    TakeoverRequest,
    UnfreezeRequest,
    UnholdRequest,
    UnlockRequest,
)
from cockpit.store.log import ReleaseLog
from tests.engine.rig import ANA, SHOP, Rig, rig
from tests.engine.test_exclusion import taken

ACTOR = Actor("ana", 0, "ana", "SUDO_USER=ana SSH_CONNECTION=192.0.2.7")
WHY = "because of the sale"
PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


async def rows(shop: Rig, action: str) -> list[AuditRow]:
    """Oldest first."""
    return [row for row in reversed(await shop.store.audit(200)) if row.action == action]


async def ask(shop: Rig, call: Call[Any, Any], params: Any, actor: Actor = ACTOR) -> Any:
    """As the server does."""
    peer = Peer(actor, "cli")
    await shop.engine.permit(peer, call, params)
    return await shop.engine.handlers()[call.name](peer, params) if call is not STOP_ENGINE else None


async def stuck(shop: Rig) -> int:
    """An operation that recovery gave up."""
    shop.prober.answers[3] = 0
    running = await shop.deploy(shop.commit("third"))
    await shop.until(lambda: 3 in shop.running())
    await shop.down()
    shop.edge.broken = "the pointer is torn"
    shop.clock.hurry()
    await shop.up()
    shop.edge.broken = ""
    return running.id


# ---------------------------------------------------------------- every call that changes something

Does = Callable[[Rig], Awaitable[Any]]


async def deploys(shop: Rig) -> None:
    await shop.ended(await ask(shop, DEPLOY, DeployRequest(SHOP, shop.commit("third"), reason=WHY)))


async def rolls_back(shop: Rig) -> None:
    await shop.ended(await ask(shop, ROLLBACK, RollbackRequest(SHOP, reason=WHY)))


async def restarts(shop: Rig) -> None:
    await shop.ended(await ask(shop, RESTART, RestartRequest(SHOP, reason=WHY)))


async def cancels(shop: Rig) -> None:
    shop.prober.answers[3] = 0
    running = await shop.deploy(shop.commit("third"))
    await ask(shop, CANCEL, OperationRequest(running.id, WHY))


async def releases_the_hold(shop: Rig) -> None:
    await shop.ended(await shop.rollback())
    await ask(shop, UNHOLD, UnholdRequest(SHOP, WHY))


async def locks(shop: Rig) -> None:
    await ask(shop, LOCK, LockRequest(SHOP, WHY))


async def unlocks(shop: Rig) -> None:
    await shop.call(LOCK, LockRequest(SHOP, "x"))
    await ask(shop, UNLOCK, UnlockRequest(SHOP, WHY))


async def freezes(shop: Rig) -> None:
    await ask(shop, FREEZE, FreezeRequest(WHY))


async def unfreezes(shop: Rig) -> None:
    await shop.call(FREEZE, FreezeRequest("x"))
    await ask(shop, UNFREEZE, UnfreezeRequest(WHY))


async def runs_a_command(shop: Rig) -> None:
    ticket = await ask(shop, EXEC, ExecRequest(SHOP, ("ls",)))
    await ask(shop, EXEC_ENDED, ExecEnded(ticket.id, 3))


async def upgrades_the_edge(shop: Rig) -> None:
    await ask(shop, EDGE_UPGRADE, EdgeUpgradeRequest(confirmed=True))


async def takes_over(shop: Rig) -> None:
    lock = await taken(shop)
    await ask(shop, TAKEOVER, TakeoverRequest(SHOP, lock.short, WHY))


async def recovers(shop: Rig) -> None:
    await ask(shop, RECOVER, OperationRequest(await stuck(shop), WHY))


async def stops_the_engine(shop: Rig) -> None:
    await ask(shop, STOP_ENGINE, Nothing())


DONE: dict[str, tuple[Does, str, tuple[str, ...]]] = {
    "deploy": (deploys, "deploy", ("began", "succeeded")),
    "rollback": (rolls_back, "rollback", ("began", "succeeded")),
    "restart": (restarts, "restart", ("began", "succeeded")),
    "cancel": (cancels, "cancel", ("succeeded",)),
    "unhold": (releases_the_hold, "unhold", ("done",)),
    "lock": (locks, "lock", ("done",)),
    "unlock": (unlocks, "unlock", ("done",)),
    "freeze": (freezes, "freeze", ("done",)),
    "unfreeze": (unfreezes, "unfreeze", ("done",)),
    "exec": (runs_a_command, "exec", ("began", "failed")),
    "exec.ended": (runs_a_command, "exec", ("began", "failed")),
    "edge.upgrade": (upgrades_the_edge, "edge upgrade", ("began", "succeeded")),
    "takeover": (takes_over, "takeover", ("done",)),
    "recover": (recovers, "recover", ("asked",)),
    "engine.stop": (stops_the_engine, "engine stop", ("asked",)),
}
CHANGING = {name for name, call in CALLS.items() if call.needs is not Role.VIEWER and name != "hello"}


def test_every_call_that_changes_something_is_in_the_table() -> None:
    assert set(DONE) == CHANGING


@pytest.mark.parametrize("name", DONE)
def test_its_words_are_documented(name: str) -> None:
    _, action, outcomes = DONE[name]
    line = next(line for line in PAGE.read_text().splitlines() if line.startswith("| ") and f"`{action}`" in line)
    assert all(f"`{outcome}`" in line for outcome in outcomes)


@pytest.mark.parametrize("name", DONE)
async def test_every_call_that_changes_something_leaves_its_rows(tmp_path: Path, name: str) -> None:
    does, action, outcomes = DONE[name]
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        before = len(await rows(shop, action))
        await does(shop)
        mine = (await rows(shop, action))[before:]
        assert tuple(row.outcome for row in mine) == outcomes
        assert {row.actor for row in mine} == {ACTOR}
        assert mine[0].reason == WHY or "reason" not in CALLS[name].params.__annotations__
        placed = CALLS[name].params.__annotations__.keys() & {"key", "id"}
        assert (mine[0].key == SHOP) == bool(placed)
        assert mine[0].cli.startswith("cockpit ") or name == "takeover"
        if len(mine) > 1:
            assert mine[1].seconds is not None
        assert (await shop.call(AUDIT_VERIFY, AuditVerifyRequest())).bad is None


REFUSED: dict[str, tuple[Any, str]] = {
    "deploy": (DeployRequest(SHOP, seen_live=9, reason=WHY), "deploy"),
    "rollback": (RollbackRequest(SHOP, seen_live=9, reason=WHY), "rollback"),
    "restart": (RestartRequest(SHOP, seen_live=9, reason=WHY), "restart"),
    "cancel": (OperationRequest(1, WHY), "cancel"),
    "unhold": (UnholdRequest(SHOP, " "), "unhold"),
    "lock": (LockRequest(SHOP, WHY, 5.0), "lock"),
    "unlock": (UnlockRequest(SHOP, WHY), "unlock"),
    "freeze": (FreezeRequest(" "), "freeze"),
    "unfreeze": (UnfreezeRequest(WHY), "unfreeze"),
    "exec": (ExecRequest(SHOP, process="mailer"), "exec"),
    "exec.ended": (ExecEnded(99, 0), "exec"),
    "edge.upgrade": (EdgeUpgradeRequest("shop-9", confirmed=True), "edge upgrade"),
    "takeover": (TakeoverRequest(SHOP, "nope", WHY), "takeover"),
    "recover": (OperationRequest(1, WHY), "recover"),
}


@pytest.mark.parametrize("name", sorted(CHANGING - {"engine.stop"}))
async def test_what_is_refused_leaves_a_row_that_says_why(tmp_path: Path, name: str) -> None:
    asked, action = REFUSED[name]
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        before = len(await rows(shop, action))
        with pytest.raises(CockpitError) as raised:
            await ask(shop, CALLS[name], asked)
        (row,) = (await rows(shop, action))[before:]
        assert (row.actor, row.outcome, row.text) == (ACTOR, "refused", raised.value.message)
        assert row.reason == getattr(asked, "reason", "").strip()


@pytest.mark.parametrize("name", sorted(CHANGING))
async def test_who_may_not_is_in_the_audit_with_what_was_tried(tmp_path: Path, name: str) -> None:
    asked, action = REFUSED.get(name, (Nothing(), "engine stop"))
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        before = len(await rows(shop, action))
        peer = Peer(ACTOR, "cli", read_only=True)
        with pytest.raises(Refused, match="read-only"):
            await shop.engine.permit(peer, CALLS[name], asked)
        (row,) = (await rows(shop, action))[before:]
        assert (row.actor, row.outcome, row.text) == (ACTOR, "refused", "This connection is read-only")


async def test_looking_leaves_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        before = await shop.store.audit(100)
        for call, asked in ((AUDIT, AuditRequest()), (EDGE_UPGRADE, EdgeUpgradeRequest("shop-9"))):
            try:
                await ask(shop, call, asked)
            except CockpitError:
                continue
        assert await shop.store.audit(100) == before


async def test_stopping_is_refused_and_recorded_while_an_operation_runs(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        await ask(shop, STOP_ENGINE, Nothing())
        assert [row.outcome for row in await rows(shop, "engine stop")] == ["refused"]
        await shop.call(CANCEL, OperationRequest(running.id))


async def test_the_engine_itself_begins_and_ends_its_part(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.again()
        found = [(row.action, row.outcome, row.actor.name) for row in reversed(await shop.store.audit(10))]
        assert found == [
            ("engine start", "done", "cockpit"),
            ("engine stop", "done", "cockpit"),
            ("engine start", "done", "cockpit"),
        ]


async def test_an_operation_that_the_engine_died_in_is_ended_by_the_engine_in_the_audit_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        await shop.again()
        began, recovered = (
            row for row in reversed(await shop.store.audit(100)) if row.operation == running.id and row.key == SHOP
        )
        assert (began.actor, began.action, began.outcome) == (ANA, "deploy", "began")
        assert (recovered.actor.name, recovered.action, recovered.outcome) == ("cockpit", "recovery", "interrupted")


# ---------------------------------------------------------------- with a log that refuses


async def test_rows_of_a_rollback_with_a_full_disk_are_entered_later_in_order(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        await shop.call(LOCK, LockRequest(SHOP, "the ledger"))
        before = (await shop.store.audit(1))[0].id
        shop.disk.refuses = "no space left"
        done = await shop.rollback(reason="503s")
        await shop.until(lambda: shop.customers_on() == 1 and SHOP not in shop.engine.world.runs)
        with pytest.raises(StoreError):
            await shop.call(LOCK, LockRequest(SHOP, "again"))
        with pytest.raises(Refused):
            await shop.deploy()
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.backlog)
        late = [row for row in reversed(await shop.store.audit(100)) if row.id > before]
        assert [(row.action, row.outcome) for row in late] == [
            ("rollback", "began"),
            ("rollback", "succeeded"),
            ("lock", "failed"),
            ("deploy", "refused"),
        ]
        began, ended = late[:2]
        assert began.operation == ended.operation == done.id
        assert (began.at, began.reason, began.overrides) == (done.started_at, "503s", ("lock by ana: the ledger",))
        assert began.cli == "cockpit rollback shop/production --to=r1 --reason 503s"
        assert (ended.seconds is not None, ended.overrides) == (True, began.overrides)
        assert (await shop.call(AUDIT_VERIFY, AuditVerifyRequest())).bad is None


async def test_the_end_of_an_operation_that_the_disk_refused_is_entered_later(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        await shop.shipped("second")
        shop.prober.answers[1] = 0
        shop.builder.gate = asyncio.Event()
        running = await shop.deploy(shop.commit("third"))
        shop.disk.refuses = "no space left"
        shop.builder.gate.set()
        await shop.until(lambda: SHOP not in shop.engine.world.runs)
        shop.disk.refuses = ""
        await shop.until(lambda: not shop.engine.backlog)
        began, ended = [row for row in reversed(await shop.store.audit(100)) if row.operation == running.id]
        assert (began.outcome, ended.outcome) == ("began", "failed")
        found = await shop.store.operation(running.id)
        assert found is not None
        assert found.state is OperationState.FAILED


# ---------------------------------------------------------------- heads that leave the machine


@pytest.fixture
def device() -> Iterator[tuple[Path, socket.socket]]:
    """A log daemon's socket; its path is short enough for one."""
    directory = Path(tempfile.mkdtemp(prefix="log-"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listening:
        listening.bind(str(directory / "log"))
        yield directory / "log", listening
    shutil.rmtree(directory)


def heard(listening: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines.append(listening.recv(4096).decode())
        except BlockingIOError:
            return lines


async def test_each_head_goes_to_the_log_daemon_in_order(tmp_path: Path, device: tuple[Path, socket.socket]) -> None:
    path, listening = device
    made = Rig(tmp_path)
    made.recorded = Syslog("ab12", path).send
    await made.up()
    lines: list[str] = heard(listening)
    try:
        await made.shipped("first")
        lines += heard(listening)
        await made.call(LOCK, LockRequest(SHOP, "a secret plan"))
        lines += heard(listening)
        kept = list(reversed(await made.store.audit(100)))
    finally:
        await made.down()
    lines += heard(listening)
    heads = [re.search(r"head=(\d+:[0-9a-f]{64}) ", line) for line in lines]
    assert [head[1] for head in heads if head][: len(kept)] == [f"{row.id}:{row.hash}" for row in kept]
    assert len(lines) == len(kept) + 1  # the engine's stop
    lock = next(line for line in lines if "action=lock " in line)
    assert re.match(r"<85>deploy-cockpit\[\d+\]: audit head=", lock)
    assert lock.endswith(" installation=ab12 action=lock outcome=done actor=ana uid=1000 placement=shop/production")
    assert "secret plan" not in "".join(lines)


async def test_a_tail_that_was_cut_is_found_by_the_last_head_that_was_sent(
    tmp_path: Path, device: tuple[Path, socket.socket]
) -> None:
    path, listening = device
    log = await ReleaseLog.open(tmp_path / "releases.db", Rig(tmp_path).clock, Syslog("ab12", path).send)
    for _ in range(3):
        await log.record(AuditRow(0, 1.0, ANA, "exec", "began", SHOP))
    last = re.search(r"head=(\S+)", heard(listening)[-1])
    assert last is not None
    assert (await log.verify_audit(last[1]))[1] is None
    await log.close()
    (tmp_path / "releases.db").unlink()  # the coarsest cut: a log that begins anew
    fresh = await ReleaseLog.open(tmp_path / "releases.db", Rig(tmp_path).clock)
    assert (await fresh.verify_audit())[1] is None
    _, broken = await fresh.verify_audit(last[1])
    await fresh.close()
    assert broken is not None
    assert broken.row == 1


def test_a_log_daemon_that_does_not_read_or_is_not_there_holds_nothing_up(
    tmp_path: Path, device: tuple[Path, socket.socket]
) -> None:
    path, listening = device
    row = AuditRow(1, 1.0, ANA, "deploy", "began", SHOP, hash="a" * 64)
    syslog = Syslog("ab12", path)
    for _ in range(2000):  # a queue has room for some hundreds
        syslog.send(row)
    assert 0 < len(heard(listening)) < 2000
    for other in (tmp_path / "none", tmp_path, Path("/" + "long" * 40)):
        Syslog("ab12", other).send(row)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(path.parent / "stream"))
        stream.listen()
        Syslog("ab12", path.parent / "stream").send(row)


def test_a_hostile_name_stays_inside_its_field() -> None:
    actor = Actor('kim" action=deploy\nx')
    line = told(AuditRow(1, 1.0, actor, "exec", "began", hash="a" * 64), "ab12")
    assert "\n" not in line
    assert r'actor="kim\" action=deploy\nx"' in line


# ---------------------------------------------------------------- the line that does the same


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (DeployRequest(SHOP, "abc", reason="not yet"), "deploy shop/production --commit abc --reason 'not yet'"),
        (DeployRequest(SHOP, force=True), "deploy shop/production --force"),
        (RollbackRequest(SHOP, 4), "rollback shop/production --to=r4"),
        (RestartRequest(SHOP), "restart shop/production"),
        (OperationRequest(7, "no"), "cancel 7 --reason no"),
        (LockRequest(SHOP, "sale", 5400.0), "lock shop/production --for 5400s --reason sale"),
        (UnlockRequest(SHOP, "over"), "unlock shop/production --reason over"),
        (FreezeRequest("sale", 60.0), "freeze --for 60s --reason sale"),
        (UnfreezeRequest("over"), "unfreeze --reason over"),
        (UnholdRequest(SHOP, "fixed"), "unhold shop/production --reason fixed"),
        (ExecRequest(SHOP, ("ls", "a b"), "web", True), "exec shop/production --one-off --process web -- ls 'a b'"),
        (EdgeUpgradeRequest("local", confirmed=True), "edge upgrade local"),
    ],
)  # fmt: skip
def test_the_line_is_one_that_the_command_takes(asked: Any, line: str) -> None:
    import shlex

    from cockpit.cli.verbs import cockpit

    assert line_of(asked) == f"cockpit {line}"
    words = shlex.split(line)
    verb: Any = cockpit
    while hasattr(verb, "commands"):
        verb = verb.commands[words.pop(0)]
    verb.make_context(verb.name, words)
