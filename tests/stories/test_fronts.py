"""Where the edge stands: with the public ports and TLS, or in Docker networks behind somebody else's proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from cockpit.protocol import EDGE_UPGRADE, EdgeUpgradeRequest
from tests.stories import services
from tests.stories.world import World, free_port, world
from tests.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[World]:
    async with world() as made:
        made.configure("shop")
        made.commit("shop", services.web(made.runtime), "Open the shop")
        yield made


@pytest.fixture(scope="module")
def network(shop: World) -> Iterator[str]:
    """Of the proxy in front, which is there before the cockpit."""
    name = f"front-{shop.host.installation}"
    made = shop.host.client.networks.create(name)
    yield name
    made.reload()
    for each in made.containers:
        made.disconnect(each, force=True)
    made.remove()


async def https(host: str, port: int) -> str:
    """What a browser is told that trusts this certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_a_deploy_is_confirmed_through_tls_and_customers_arrive_that_way(shop: World) -> None:
    port = free_port()
    shop.edge = {"tls": {"listen": f"127.0.0.1:{port}", "issuer": "internal"}}
    shop.configure("shop")
    await shop.up()
    done = await shop.ships("shop", shop.remote.head)
    confirm = done.step("confirm")
    assert confirm is not None
    assert confirm.detail.startswith("200 through the edge")
    assert f"shop r{done.to_release} " in await https("shop.localhost", port)
    told = await shop.get("shop")
    assert (told.status, told.headers["location"]) == (308, f"https://shop.localhost:{port}/")


async def test_an_edge_that_moves_into_networks_says_so_waits_to_be_told_and_serves_the_proxy_there(
    shop: World, network: str
) -> None:
    """Labels are what a Traefik there would read."""
    shop.edge = {"listen": ":8000", "networks": [network], "labels": {"traefik.enable": "true"}}
    shop.configure("shop")
    await shop.reread("shop")

    async def noted() -> bool:
        return any(network in each.note for each in (await shop.snapshot()).engine.hosts)

    await until(noted, within=90)
    asked = await shop.client.call(EDGE_UPGRADE, EdgeUpgradeRequest())
    assert network in asked.outdated
    assert not asked.done
    assert (await shop.client.call(EDGE_UPGRADE, EdgeUpgradeRequest(confirmed=True))).done
    found = shop.host.inspect(shop.host.edge)
    assert network in found["NetworkSettings"]["Networks"]
    assert found["Config"]["Labels"]["traefik.enable"] == "true"

    done = await shop.ships("shop", shop.commit("shop", {"notes": "two"}))
    address = found["NetworkSettings"]["Networks"][network]["IPAddress"]
    reader, writer = await asyncio.open_connection(address, 8000)
    writer.write(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n")
    assert f"shop r{done.to_release} " in (await reader.read()).decode()
    writer.close()
