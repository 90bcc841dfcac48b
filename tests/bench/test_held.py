"""What counts as whole and what as cut, against the shop's own application in a container."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from bench.adoption import images, project
from bench.adoption.compose import free_ports
from bench.held import KINDS, Held
from tests.waiting import until

pytestmark = pytest.mark.docker

ALL = Counter(dict.fromkeys(KINDS, 2))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("shop")
    for path, text in project.make({"PYTHON": images.make((images.PYTHON,))["python"]}).items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(text)
    client, tag = docker.from_env(), f"cockpit-test-shop:{uuid.uuid4().hex[:8]}"
    client.images.build(path=str(context), tag=tag, rm=True)
    yield tag
    client.images.remove(tag)
    client.close()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def application(image: str, port: int) -> Iterator[Container]:
    client = docker.from_env()
    command = ["python3", "-m", "shop.lasting"]
    container = client.containers.run(image, command, detach=True, ports={"8000/tcp": ("127.0.0.1", port)})
    yield container
    container.remove(force=True)
    client.close()


@pytest.fixture
async def held(application: Container, port: int) -> Held:
    found = Held(f"http://shop.localhost:{port}/")
    await until(lambda: _takes(found), what="the application takes connections")
    return found


async def _takes(held: Held) -> bool:
    trial = Held(held.url)
    await trial.hold(Counter(websocket=1), 0.0)
    await trial.finish()
    return not trial.cut


async def test_what_is_let_come_to_its_end_is_whole(held: Held) -> None:
    await held.hold(ALL, 1.0)
    assert held.open == ALL.total()
    await held.finish()
    assert [(each.kind, each.why) for each in held.cut] == []
    assert Counter(each.kind for each in held.ended) == ALL
    assert {each.release for each in held.ended} == {"compose"}
    assert held.open == 0


async def test_each_kind_is_cut_when_the_application_dies_under_it(held: Held, application: Container) -> None:
    await held.hold(ALL, 30.0)
    application.kill()
    await held.finish()
    assert Counter(each.kind for each in held.cut) == ALL


async def test_what_nobody_takes_is_cut_and_holds_up_nothing() -> None:
    held = Held("http://127.0.0.1:1/")
    await held.hold(ALL, 30.0)
    await held.finish()
    assert Counter(each.kind for each in held.cut) == ALL
    assert all(each.release == "" for each in held.cut)
