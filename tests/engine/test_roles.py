"""Who may do what: a role for each client and placement, asked for in one place before any request's own code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from cockpit.config.settings import Environment, PlacementSettings, Roles, Settings
from cockpit.engine.api import Peer, Standing
from cockpit.engine.permission import Permission
from cockpit.engine.server import serve
from cockpit.errors import Refused
from cockpit.model import Actor, PlacementKey, Role
from cockpit.paths import Paths
from cockpit.protocol import (
    CALLS,
    CANCEL,
    DEPLOY,
    EXEC,
    EXEC_ENDED,
    LOGS_OPEN,
    STATUS,
    STOP_ENGINE,
    Call,
    DeployRequest,
    ExecEnded,
    ExecRequest,
    LogKind,
    LogRequest,
    Nothing,
    OperationRequest,
)
from tests.engine.rig import SHOP, Rig, rig, service, settings

LEDGER = PlacementKey("ledger", "production")
ENGINE = 990  # the user that the engine runs as
LOOKS = {
    "hello", "subscribe", "status", "pending", "releases", "diff", "range", "deploy.sheet", "rollback.sheet", "open",
    "others", "operation", "operations", "refresh", "logs.open", "logs.close", "doctor", "audit", "audit.verify",
}  # fmt: skip


@dataclass
class Configured:
    settings: Settings
    known: Mapping[PlacementKey, PlacementSettings]


def permission(roles: Roles, **deployers: tuple[str, ...]) -> Permission:
    """Two services; `shop=(…)` names deployers of its own."""
    production = Environment(protected=True)
    placements = tuple(
        PlacementSettings(key=key, environment=production, service=service(deployers=deployers.get(key.service)))
        for key in (SHOP, LEDGER)
    )
    settings = Settings(environments={"production": production}, placements=placements, roles=roles)
    return Permission(Configured(settings, {each.key: each for each in placements}), owner=lambda: ENGINE)


def member(*groups: str, uid: int = 1000, read_only: bool = False) -> Peer:
    return Peer(Actor("tom", uid), "cli", groups=frozenset(groups), read_only=read_only)


def refusal(gate: Permission, peer: Peer, call: Call[Any, Any], about: PlacementKey | None, params: Any = None) -> str:
    try:
        gate.require(peer, call, params, about)
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("name", CALLS)
def test_a_viewer_can_do_no_call_that_changes_anything(name: str) -> None:
    gate = permission(Roles(viewer=("support",)))
    for peer in (member("support"), member("support", uid=0, read_only=True)):
        for about in (SHOP, None):
            assert (refusal(gate, peer, CALLS[name], about) == "") == (name in LOOKS)


def test_a_deployer_of_one_service_cannot_deploy_another_and_is_told_who_can() -> None:
    gate = permission(Roles(deployer=("ops",)), shop=("deploy-shop",))
    assert refusal(gate, member("deploy-shop"), DEPLOY, SHOP) == ""
    said = refusal(gate, member("deploy-shop"), DEPLOY, LEDGER)
    assert "tom may not deploy ledger/production" in said
    assert "Ask someone in group ops" in said


def test_a_services_own_deployers_stand_in_place_of_the_general_ones() -> None:
    gate = permission(Roles(deployer=("ops",)), shop=("deploy-shop",))
    assert refusal(gate, member("ops"), DEPLOY, LEDGER) == ""
    assert "group deploy-shop" in refusal(gate, member("ops"), DEPLOY, SHOP)


def test_what_is_about_no_placement_is_not_done_by_a_deployer_of_one() -> None:
    gate = permission(Roles(deployer=("ops",)), shop=("deploy-shop",))
    assert refusal(gate, member("deploy-shop"), DEPLOY, None)
    assert refusal(gate, member("ops"), DEPLOY, None) == ""


MIGHTY = {"root": member(uid=0), "engine": member(uid=ENGINE), "admin": member("platform")}


@pytest.mark.parametrize("peer", MIGHTY.values(), ids=MIGHTY)
def test_root_the_engines_user_and_admins_may_do_everything(peer: Peer) -> None:
    gate = permission(Roles(admin=("platform",)), shop=())
    assert [each.name for each in CALLS.values() if refusal(gate, peer, each, SHOP)] == []


def test_only_an_admin_stops_the_engine() -> None:
    gate = permission(Roles(deployer=("ops",), admin=("platform",)))
    assert "group platform" in refusal(gate, member("ops"), STOP_ENGINE, None)


def test_without_viewers_whoever_may_connect_may_look() -> None:
    assert permission(Roles()).standing(member("anything")) == Standing(Role.VIEWER)
    assert refusal(permission(Roles()), member("anything"), DEPLOY, SHOP).endswith("no group is given this role")


def test_with_viewers_nobody_else_is_let_in() -> None:
    gate = permission(Roles(viewer=("support",)), shop=("deploy-shop",))
    with pytest.raises(Refused, match="may not look") as refused:
        gate.standing(member("games"))
    assert "group support" in refused.value.hint
    assert refusal(gate, member("games"), STATUS, None)
    assert gate.standing(member("deploy-shop")).role is Role.DEPLOYER


def test_a_client_is_told_its_role_and_which_placements_are_its_own() -> None:
    gate = permission(Roles(deployer=("ops",), admin=("platform",)), shop=("deploy-shop",))
    assert gate.standing(member("deploy-shop")) == Standing(Role.DEPLOYER, (SHOP,))
    assert gate.standing(member("deploy-shop", "ops")) == Standing(Role.DEPLOYER, None)
    assert gate.standing(member("platform")) == Standing(Role.ADMIN)
    assert gate.standing(member("platform", read_only=True)) == Standing(Role.VIEWER)


def test_read_only_lets_nobody_in_who_could_not_look_before() -> None:
    with pytest.raises(Refused):
        permission(Roles(viewer=("support",))).standing(member("games", read_only=True))


def test_the_log_of_a_container_of_somebody_else_is_not_for_viewers() -> None:
    gate = permission(Roles(deployer=("ops",)))
    ours, foreign = LogRequest(LogKind.SERVICE, SHOP), LogRequest(LogKind.CONTAINER, container="postgres")
    assert refusal(gate, member("support"), LOGS_OPEN, SHOP, ours) == ""
    assert refusal(gate, member("support"), LOGS_OPEN, None, foreign)
    assert refusal(gate, member("ops"), LOGS_OPEN, None, foreign) == ""


def test_a_log_of_a_container_cannot_be_had_by_naming_a_placement_too() -> None:
    gate = permission(Roles(), shop=("deploy-shop",))
    asked = LogRequest(LogKind.CONTAINER, SHOP, container="postgres")
    assert refusal(gate, member("support"), LOGS_OPEN, SHOP, asked)


# ------------------------------------------------------------ a whole engine behind its socket


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, method: str, **params: Any) -> Any:
        self._writer.write(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n")
        async with asyncio.timeout(10):
            while (message := json.loads(await self._reader.readline())).get("id") != 1:
                pass
        return message

    async def refused(self, method: str, **params: Any) -> bool:
        return bool((await self.ask(method, **params)).get("error", {}).get("data", {}).get("code") == "refused")


@pytest.fixture
async def read_only(shop: Rig, tmp_path: Path) -> AsyncIterator[Line]:
    paths = Paths(shop.paths.config, shop.paths.state, tmp_path / "run" / "engine.sock")
    server = await serve(shop.engine, paths)
    reader, writer = await asyncio.open_unix_connection(str(paths.socket))
    line = Line(reader, writer)
    welcome = (await line.ask("hello", version="0.1.0", protocol=1, client="cli", read_only=True))["result"]
    assert welcome["role"] == "viewer"
    yield line
    writer.close()
    await server.close()


async def test_the_engine_itself_keeps_a_read_only_connection_from_every_change(shop: Rig, read_only: Line) -> None:
    """Before any request's own code: it does not even say that there is no such operation or command."""
    params = {"key": asdict(SHOP), "id": 1, "status": 0, "reason": "r", "seconds": 60.0, "command": [], "lock": "x"}
    for name in CALLS.keys() - LOOKS:
        assert await read_only.refused(name, **params), name
    changes = {"start", "stop", "run", "upgrade_edge", "create_terminal", "remove_terminal"}
    assert changes.isdisjoint(each.partition(" ")[0] for each in shop.target.calls)
    assert await shop.store.operations(None, limit=10) == ()


async def test_cancelling_is_for_the_deployers_of_the_operations_placement(shop: Rig) -> None:
    operation = await shop.shipped("first")
    await shop.reconfigured(settings((SHOP, service(deployers=("deploy-shop",)))))
    await shop.engine.permit(member("deploy-shop"), CANCEL, OperationRequest(operation.id))
    with pytest.raises(Refused, match="may not cancel shop/production"):
        await shop.engine.permit(member("deploy-ledger"), CANCEL, OperationRequest(operation.id))


async def test_the_end_of_a_command_is_told_by_the_deployers_of_its_placement(shop: Rig) -> None:
    await shop.shipped("first")
    ticket = await shop.call(EXEC, ExecRequest(SHOP))
    await shop.reconfigured(settings((SHOP, service(deployers=("deploy-shop",)))))
    await shop.engine.permit(member("deploy-shop"), EXEC_ENDED, ExecEnded(ticket.id, 0))
    with pytest.raises(Refused, match=r"may not exec\.ended shop/production"):
        await shop.engine.permit(member("deploy-ledger"), EXEC_ENDED, ExecEnded(ticket.id, 0))


async def test_a_second_hello_does_not_take_back_that_it_is_read_only(read_only: Line) -> None:
    again = (await read_only.ask("hello", version="0.1.0", protocol=1, client="cli"))["result"]
    assert again["role"] == "viewer"
    assert await read_only.refused("deploy", key=asdict(SHOP))


async def test_roles_that_were_taken_away_count_from_the_next_call(shop: Rig) -> None:
    peer = member("ops", uid=1000)
    await shop.reconfigured(shop.settings.model_copy(update={"roles": Roles(deployer=("ops",))}))
    await shop.engine.permit(peer, DEPLOY, DeployRequest(SHOP))
    await shop.reconfigured(shop.settings.model_copy(update={"roles": Roles(deployer=("others",))}))
    with pytest.raises(Refused, match="may not deploy shop/production"):
        await shop.engine.permit(peer, DEPLOY, DeployRequest(SHOP))
    await shop.engine.permit(peer, STATUS, Nothing())
