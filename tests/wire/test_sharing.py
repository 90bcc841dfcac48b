"""A system engine under its own user, and the users of a bastion who share it: real processes of several users."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cockpit import private
from cockpit.client import connect
from cockpit.engine.api import Peer, Standing
from cockpit.engine.server import serve
from cockpit.errors import EngineUnreachable
from cockpit.model import Role
from cockpit.paths import Paths, find, system
from tests.fakes.engine import FakeEngine
from tests.several_users import User, common_ground, needs_root

pytestmark = needs_root

GROUP, SHOPS, LEDGERS, PLATFORM, VIEWERS = 61000, 61002, 61003, 61004, 61001
ENGINE = User(61990, (GROUP,))
VIEWER = User(61101, (GROUP, VIEWERS))
SHOP = User(61102, (GROUP, SHOPS))
LEDGER = User(61103, (GROUP, LEDGERS))
ADMIN = User(61104, (GROUP, PLATFORM))
STRANGER = User(61105, (GROUP,))  # in the engine's group, and in none that a role is given to
OUTSIDER = User(61106, (SHOPS,))  # a role's group opens no door

ASK = """
import json, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
wire = line.makefile("rw")
for id, (method, params) in enumerate(json.loads(sys.argv[2])):
    print(json.dumps({"id": id, "method": method, "params": params}), file=wire, flush=True)
    while (message := json.loads(wire.readline())).get("id") != id:
        pass
    print(json.dumps(message))
"""
CONFIG = """
roles: {{viewer: ["{viewers}"], admin: ["{platform}"]}}
environments: {{production: {{host: "unix://{ground}/no-docker.sock"}}}}
fetch_every: 1h
services:
  shop: {{repo: "{ground}/no-repository", port: 8000, hosts: [shop.localhost], deployers: ["{shops}"]}}
  ledger: {{repo: "{ground}/no-repository", port: 8000, hosts: [ledger.localhost], deployers: ["{ledgers}"]}}
"""


@dataclass(frozen=True)
class Bastion:
    paths: Paths
    engine: subprocess.Popen[bytes]

    def says(self, user: User, *requests: tuple[str, Any], **hello: Any) -> list[Any]:
        """The answers to hello and to the requests."""
        greeting = {"version": "0.1.0", "protocol": 1, "client": "cli", **hello}
        script = json.dumps([("hello", greeting), *requests])
        done = user.python("-c", ASK, str(self.paths.socket), script)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def code(self, user: User, method: str, **params: Any) -> str:
        """ "ok", or the code of the error that it was answered with."""
        return code(self.says(user, (method, params))[-1])

    def cockpit(self, user: User, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return user.python("-m", "cockpit.cli.main", *words, COCKPIT_SOCKET=str(self.paths.socket), **environment)


def code(answer: Any) -> str:
    return str(answer.get("error", {}).get("data", {}).get("code", "ok"))


def of(service: str) -> dict[str, str]:
    return {"service": service, "environment": "production"}


@pytest.fixture(scope="module")
def bastion() -> Iterator[Bastion]:
    with common_ground() as ground:
        paths = Paths(ground / "config.yaml", ground / "state", ground / "run" / "engine.sock", str(GROUP))
        names = {"viewers": VIEWERS, "platform": PLATFORM, "shops": SHOPS, "ledgers": LEDGERS, "ground": ground}
        paths.config.write_text(CONFIG.format(**names))
        for directory in (paths.state, paths.socket.parent):
            directory.mkdir(mode=0o700)
            os.chown(directory, ENGINE.uid, ENGINE.uid)
        words = ("--config", str(paths.config), "--state", str(paths.state), "--socket", str(paths.socket))
        engine = ENGINE.starts("-m", "cockpit.engine", "run", *words, "--group", str(GROUP), HOME=str(paths.state))
        try:
            _wait_for(paths.socket, engine)
            yield Bastion(paths, engine)
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(20)


def _wait_for(socket: Path, engine: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not (socket.exists() and stat.S_IMODE(socket.stat().st_mode) == 0o660):
        assert engine.poll() is None, "the engine ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_socket_is_the_groups_and_all_else_is_the_engines_alone(bastion: Bastion) -> None:
    socket, directory, state = (
        each.stat() for each in (bastion.paths.socket, bastion.paths.socket.parent, bastion.paths.state)
    )
    assert (socket.st_uid, socket.st_gid, stat.S_IMODE(socket.st_mode)) == (ENGINE.uid, GROUP, 0o660)
    assert (directory.st_uid, directory.st_gid, stat.S_IMODE(directory.st_mode)) == (ENGINE.uid, GROUP, 0o750)
    assert stat.S_IMODE(state.st_mode) == 0o700
    open_files = [each for each in bastion.paths.state.rglob("*") if each.is_file() and each.stat().st_mode & 0o077]
    assert open_files == []


def test_a_member_of_the_group_connects_and_sees_and_is_who_the_kernel_says(bastion: Bastion) -> None:
    hello, status = bastion.says(VIEWER, ("status", {}))
    assert hello["result"]["actor"]["uid"] == VIEWER.uid
    assert {each["key"]["service"] for each in status["result"]["placements"]} == {"shop", "ledger"}


def test_an_outsider_cannot_even_connect(bastion: Bastion) -> None:
    done = OUTSIDER.python("-c", ASK, str(bastion.paths.socket), "[]")
    assert "PermissionError" in done.stderr


def test_a_stranger_to_all_roles_is_let_out_again(bastion: Bastion) -> None:
    hello, status = bastion.says(STRANGER, ("status", {}))
    assert "Ask someone in group 61001" in hello["error"]["data"]["hint"]
    assert code(status) == "usage"


@pytest.mark.parametrize(
    ("user", "may"),
    [(VIEWER, set()), (SHOP, {"shop"}), (LEDGER, {"ledger"}), (ADMIN, {"shop", "ledger"})],
    ids=["viewer", "deployer of shop", "deployer of ledger", "admin"],
)
def test_each_may_deploy_what_is_theirs_and_nothing_else(bastion: Bastion, user: User, may: set[str]) -> None:
    """What they may fails for want of Docker and a repository, after the gate."""
    for service in ("shop", "ledger"):
        for call, params in (("deploy", {}), ("rollback", {}), ("restart", {}), ("unhold", {"reason": "r"})):
            answer = bastion.says(user, (call, {"key": of(service), **params}))[-1]
            refused = "may not" in answer.get("error", {}).get("data", {}).get("message", "")
            assert refused == (service not in may), (call, service, answer)


def test_a_deployer_is_told_its_role_and_an_admin_that_all_is_theirs(bastion: Bastion) -> None:
    (shop,), (admin,), (viewer,) = (bastion.says(each) for each in (SHOP, ADMIN, VIEWER))
    assert (shop["result"]["role"], shop["result"]["only"]) == ("deployer", [of("shop")])
    assert "role" not in admin["result"]  # left out: the default
    assert viewer["result"]["role"] == "viewer"


def test_only_an_admin_may_stop_the_engine(bastion: Bastion) -> None:
    assert [bastion.code(each, "engine.stop") for each in (VIEWER, SHOP)] == ["refused", "refused"]
    assert bastion.engine.poll() is None


def test_an_admin_who_asked_to_be_read_only_is_a_viewer(bastion: Bastion) -> None:
    answers = bastion.says(ADMIN, ("engine.stop", {}), ("deploy", {"key": of("shop")}), ("status", {}), read_only=True)
    assert [code(each) for each in answers] == ["ok", "refused", "refused", "ok"]


def test_a_forged_environment_changes_only_what_is_claimed(bastion: Bastion) -> None:
    honest, forged = bastion.says(SHOP), bastion.says(SHOP, claimed="SUDO_USER=root USER=root")
    assert forged[0]["result"]["actor"] == honest[0]["result"]["actor"] | {"claimed": "SUDO_USER=root USER=root"}
    done = bastion.cockpit(VIEWER, "unhold", "shop", "--reason", "mine", SUDO_USER="root", USER="root", LOGNAME="root")
    assert done.returncode == 3
    assert "Ask someone in group 61002" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/loginuid").exists(), reason="this kernel keeps no login uid")
def test_who_logged_in_is_known_through_a_change_of_user(bastion: Bastion) -> None:
    (hello,) = bastion.says(replace(SHOP, login=61777))
    assert hello["result"]["actor"] == {"name": "uid 61777", "uid": SHOP.uid, "login": "uid 61777"}


def test_the_command_line_finds_it_says_which_it_is_and_starts_none(bastion: Bastion) -> None:
    done = bastion.cockpit(VIEWER, "engine", "status")
    assert done.returncode == 0, done.stderr
    assert f"a system engine, shared by group {GROUP}" in done.stdout


def test_a_member_who_names_a_state_of_their_own_does_not_talk_to_it(bastion: Bastion) -> None:
    done = bastion.cockpit(VIEWER, "--state", "/nonexistent/own", "engine", "status")
    assert (done.returncode, "No engine runs for /nonexistent/own" in done.stderr) == (4, True)


def test_a_system_engine_that_is_down_is_not_replaced_by_one_of_the_users_own(bastion: Bastion) -> None:
    gone = bastion.paths.socket.with_name("gone.sock")
    done = VIEWER.python("-m", "cockpit.cli.main", "status", COCKPIT_SOCKET=str(gone))
    assert done.returncode == 4
    assert "systemctl" in done.stderr
    assert not gone.exists()


async def test_a_client_waits_for_a_system_engine_that_is_coming_back(paths: Paths) -> None:
    shared = replace(paths, group=str(os.getegid()))
    shared.socket.parent.mkdir(mode=0o750)
    waiting = asyncio.create_task(connect(shared, client="cli"))
    with pytest.raises(EngineUnreachable, match="does not answer"):
        await connect(shared, client="cli", start=False)
    server = await serve(FakeEngine(), shared)
    client = await waiting
    assert client.welcome is not None
    await client.close()
    await server.close()


async def test_a_read_only_client_does_not_stay_with_an_engine_that_knows_no_such_thing(paths: Paths) -> None:
    class Older(FakeEngine):
        def standing(self, peer: Peer) -> Standing:
            return Standing(Role.ADMIN)

    server = await serve(Older(), paths)
    with pytest.raises(EngineUnreachable, match="knows no --read-only"):
        await connect(paths, client="cli", read_only=True)
    await server.close()


# ------------------------------------------------------------ where a socket may be


def test_a_directory_of_another_user_is_believed_only_where_root_put_it(bastion: Bastion, tmp_path: Path) -> None:
    private.check(bastion.paths.socket.parent, shared=True)
    with pytest.raises(EngineUnreachable, match="belongs to another user"):
        private.check(bastion.paths.socket.parent)
    tmp_path.chmod(0o777)
    placed = tmp_path / "run"
    placed.mkdir(mode=0o750)
    os.chown(placed, 61666, GROUP)
    with pytest.raises(EngineUnreachable, match="belongs to another user"):
        private.check(placed, shared=True)


def test_a_shared_directory_that_its_group_may_change_is_refused(tmp_path: Path) -> None:
    placed = tmp_path / "run"
    placed.mkdir()
    placed.chmod(0o770)
    with pytest.raises(EngineUnreachable, match="can be changed by others"):
        private.check(placed, shared=True)


def test_an_engine_says_when_the_group_is_not_there_or_not_its_own(bastion: Bastion, tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="no group deploy-nobody"):
        private.share(tmp_path / "run", "deploy-nobody")
    script = f"from cockpit import private; private.share(private.Path({str(bastion.paths.state / 'x')!r}), '61004')"
    done = ENGINE.python("-c", script)
    assert "cannot be given to group 61004" in done.stderr


def test_roots_own_engine_is_no_system_engine(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    assert system(tmp_path / "run" / "engine.sock") is None
    (tmp_path / "run").chmod(0o750)
    found = system(tmp_path / "run" / "engine.sock")
    assert found is not None
    assert found.group == "root"


def test_explicit_places_win_over_a_system_engine(bastion: Bastion, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COCKPIT_STATE", "COCKPIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COCKPIT_SOCKET", str(bastion.paths.socket))
    assert find().group == str(GROUP)
    assert find(shared=False).group == ""
    assert find(state=Path("/nonexistent/own")).group == ""
    monkeypatch.setenv("COCKPIT_CONFIG", "/nonexistent/cockpit.yaml")
    assert find().group == ""
