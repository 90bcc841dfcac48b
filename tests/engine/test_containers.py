"""Looking into releases and hosts: probe addresses, commands in a release, other containers, a new edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config.settings import Process
from cockpit.errors import Refused, UsageError
from cockpit.protocol import (
    EDGE_UPGRADE,
    EXEC,
    EXEC_ENDED,
    LOGS_OPEN,
    OPEN,
    OTHERS,
    EdgeUpgradeRequest,
    ExecEnded,
    ExecRequest,
    LogKind,
    LogRequest,
    Nothing,
    OpenRequest,
)
from cockpit.targets.base import OtherContainer
from tests.engine.rig import SHOP, Rig, rig, service, settings
from tests.engine.test_logs import Reader
from tests.fakes.target import Program

NGINX = OtherContainer(
    id="f" * 64,
    name="proxy-nginx-1",
    image="nginx:1.27",
    state="running",
    status="Up 3 hours",
    project="proxy",
    service="nginx",
    ports=("0.0.0.0:80→80/tcp",),
)


async def told(shop: Rig) -> list[str]:
    return [row.text for row in reversed(await shop.store.audit(10, SHOP)) if row.action == "exec"]


async def test_a_release_can_be_looked_at_before_customers_are_on_it(tmp_path: Path) -> None:
    async with rig(tmp_path, settings((SHOP, service(hosts=("shop.example.com",))))) as shop:
        await shop.shipped("first")
        shop.prober.answers[2] = 0
        await shop.deploy(shop.commit("second"))
        await shop.until(lambda: 2 in shop.running())
        new = await shop.call(OPEN, OpenRequest(SHOP))
        address = next(each.address for each in shop.target.containers if each.release == 2)
        assert (new.release.name, new.url, new.host) == ("r2", f"http://{address}:8000/", "shop.example.com")
        assert new.note == "customers are on r1"
        assert '-H "Host: shop.example.com"' in new.commands[0]
        live = await shop.call(OPEN, OpenRequest(SHOP, release=1))
        assert "it is live" in live.note


async def test_what_does_not_run_has_no_address(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        with pytest.raises(Refused, match="nothing runs here"):
            await shop.call(OPEN, OpenRequest(SHOP))
        await shop.shipped("first")
        with pytest.raises(UsageError, match="no release r9"):
            await shop.call(OPEN, OpenRequest(SHOP, release=9))


async def test_a_command_in_the_live_release_is_recorded_from_its_begin_to_its_end(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        ticket = await shop.call(EXEC, ExecRequest(SHOP, ("ls", "-l"), tty=False))
        (container,) = shop.target.containers
        assert ticket.argv == ("docker", "exec", "--interactive", container.name, "ls", "-l")
        assert ticket.environment == {"DOCKER_HOST": "unix:///run/docker.sock"}
        assert await told(shop) == [f"runs “ls -l” in {container.name} of r1"]
        await shop.call(EXEC_ENDED, ExecEnded(ticket.id, 3))
        assert (await told(shop))[-1] == "“ls -l” exited with status 3"
        with pytest.raises(UsageError):
            await shop.call(EXEC_ENDED, ExecEnded(ticket.id, 3))


async def test_a_one_off_has_what_the_release_has_and_is_gone_afterwards(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("s3cret\n")
    with_secret = service(environment={"MODE": "live"}, secrets={"KEY": {"file": str(secret)}})
    async with rig(tmp_path, settings((SHOP, with_secret))) as shop:
        await shop.shipped("first")
        ticket = await shop.call(EXEC, ExecRequest(SHOP, ("console",), one_off=True))
        (order,) = shop.target.terminals.values()
        assert (order.environment["MODE"], order.environment["KEY"]) == ("live", "s3cret")
        assert order.spec.command == ("console",)
        assert "s3cret" not in " ".join(ticket.argv)
        await shop.call(EXEC_ENDED, ExecEnded(ticket.id, 0))
        assert shop.target.terminals == {}


async def test_a_command_needs_a_process_that_there_is_and_runs(tmp_path: Path) -> None:
    two = service(processes={"web": Process(port=8000), "worker": Process(command=("work",))})
    async with rig(tmp_path, settings((SHOP, two))) as shop:
        with pytest.raises(Refused, match="nothing is live"):
            await shop.call(EXEC, ExecRequest(SHOP))
        shop.target.process_programs[1, "worker"] = Program(health="healthy")
        await shop.shipped("first")
        with pytest.raises(UsageError, match="r1 has no process mailer"):
            await shop.call(EXEC, ExecRequest(SHOP, process="mailer"))
        await shop.target.stop(SHOP, 1, process="worker", grace=0.0, remove=False)
        with pytest.raises(Refused, match="no container of worker runs"):
            await shop.call(EXEC, ExecRequest(SHOP, process="worker"))


async def test_other_containers_are_listed_with_their_host_and_their_log_can_be_read(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.strangers.append(NGINX)
        found = await shop.call(OTHERS, Nothing())
        (nginx,) = found.containers
        assert (nginx.host, nginx.project, nginx.name, nginx.ports) == ("local", "proxy", NGINX.name, NGINX.ports)
        shop.target.down = "Docker does not answer"
        assert (await shop.call(OTHERS, Nothing())).unreachable == ("local",)


async def test_the_log_of_another_container_is_followed_like_any(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await shop.shipped("first")
        (container,) = shop.target.containers
        shop.target.write(container.name, "GET /")
        reader = Reader()
        await shop.engine.handlers()[LOGS_OPEN.name](reader, LogRequest(LogKind.CONTAINER, container=container.id))
        await shop.until(lambda: "GET /" in reader.texts)


async def test_a_new_edge_is_made_when_that_was_confirmed_and_never_during_an_operation(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.edge_runs, shop.target.edge_outdated = True, "its image is older"
        asked = await shop.call(EDGE_UPGRADE, EdgeUpgradeRequest())
        assert (asked.outdated, asked.done) == ("its image is older", False)
        assert not any(call.startswith("upgrade_edge") for call in shop.target.calls)
        shop.prober.answers[1] = 0
        running = await shop.deploy(shop.commit("first"))
        with pytest.raises(Refused, match="an operation runs on shop/production"):
            await shop.call(EDGE_UPGRADE, EdgeUpgradeRequest(confirmed=True))
        await shop.ended(running)
        assert (await shop.call(EDGE_UPGRADE, EdgeUpgradeRequest(confirmed=True))).done
        assert any(call.startswith("upgrade_edge") for call in shop.target.calls)
        with pytest.raises(UsageError, match="no host is called"):
            await shop.call(EDGE_UPGRADE, EdgeUpgradeRequest("shop-9"))
