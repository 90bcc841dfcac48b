"""What every builder does: BuildKit, the classic builder, and the fake that other rooms' tests use."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from cockpit.build.base import Builder, BuildLine, BuildOrder
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from tests.fakes.builder import FakeBuilder

SMALL = 'FROM scratch\nCOPY hello /hello\nLABEL a=b\nCMD ["/hello"]\n'


@pytest.fixture(
    params=[
        "fake",
        pytest.param("buildkit", marks=pytest.mark.docker),
        pytest.param("classic", marks=pytest.mark.docker),
    ]
)
def any_builder(request: pytest.FixtureRequest) -> Builder:
    if request.param == "fake":
        return FakeBuilder(SystemClock())
    builder: Builder = request.getfixturevalue(f"{request.param}_builder")
    return builder


@pytest.fixture
def at(request: pytest.FixtureRequest, any_builder: Builder) -> str:
    """A registry."""
    if isinstance(any_builder, FakeBuilder):
        return "r.test"
    address: str = request.getfixturevalue("registry")
    return address


@pytest.fixture
def order(tmp_path: Path) -> BuildOrder:
    (tmp_path / "small").mkdir()
    (tmp_path / "small/hello").write_text(uuid.uuid4().hex)
    (tmp_path / "small/Dockerfile").write_text(SMALL)
    return BuildOrder(tmp_path / "small", "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}")


async def test_an_image_is_not_there_until_it_is_built(any_builder: Builder, order: BuildOrder) -> None:
    assert await any_builder.find(order.tag) is None
    built = await any_builder.build(order, lambda _: None)
    assert (built.image.startswith("sha256:"), built.tag, built.cached) == (True, order.tag, False)
    found = await any_builder.find(order.tag)
    assert found is not None
    assert (found.image, found.cached) == (built.image, True)


async def test_the_same_order_is_not_built_twice(any_builder: Builder, order: BuildOrder) -> None:
    lines: list[BuildLine] = []
    one, two = await asyncio.gather(any_builder.build(order, lines.append), any_builder.build(order, lines.append))
    assert one.image == two.image
    assert {one.cached, two.cached} == {True, False}


async def test_steps_are_numbered_named_and_ended(any_builder: Builder, order: BuildOrder) -> None:
    lines: list[BuildLine] = []
    await any_builder.build(order, lines.append)
    copy = [line for line in lines if "COPY" in line.name]
    assert len({(line.step, line.name) for line in copy}) == 1
    assert copy[0].step > 0
    assert copy[-1].done
    assert all(line.at > 0 for line in lines)


async def test_a_missing_dockerfile_is_said_before_anything_starts(any_builder: Builder, order: BuildOrder) -> None:
    (order.context / "Dockerfile").unlink()
    lines: list[BuildLine] = []
    with pytest.raises(BuildError, match="the Dockerfile Dockerfile does not exist in this commit"):
        await any_builder.build(order, lines.append)
    assert lines == []


async def test_a_missing_context_is_said(any_builder: Builder, order: BuildOrder, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="the build context gone does not exist"):
        await any_builder.build(BuildOrder(tmp_path / "gone", "Dockerfile", order.tag), lambda _: None)


async def test_an_image_that_is_not_there_cannot_be_pushed(any_builder: Builder) -> None:
    with pytest.raises(BuildError, match="No such image"):
        await any_builder.push(f"sha256:{'0' * 64}", "127.0.0.1:1/a/b:c", None, lambda _: None)


async def test_an_image_is_in_its_registry_once_it_is_pushed_and_pulled_by_what_it_is(
    any_builder: Builder, order: BuildOrder, at: str
) -> None:
    reference, lines = f"{at}/team/shop:{'a' * 40}", list[BuildLine]()
    assert await any_builder.available(reference, None) is None
    built = await any_builder.build(order, lambda _: None)
    pushed = await any_builder.push(built.image, reference, None, lambda _: None)
    assert await any_builder.available(reference, None) == pushed.digest
    pulled = await any_builder.pull(reference, pushed.digest, None, lines.append)
    assert pulled.reference == pushed.reference == f"{at}/team/shop@{pushed.digest}"
    assert pulled.image == built.image
    assert [line.cached for line in lines] == [True]  # it was here


async def test_a_digest_that_is_in_no_registry_cannot_be_pulled(any_builder: Builder, at: str) -> None:
    with pytest.raises(BuildError, match=f"{at} has no such image") as caught:
        await any_builder.pull(f"{at}/team/shop:a", f"sha256:{'1' * 64}", None, lambda _: None)
    assert caught.value.hint


async def test_a_name_without_a_tag_is_refused(any_builder: Builder) -> None:
    with pytest.raises(BuildError, match="is not registry/name:tag"):
        await any_builder.available("r.test/shop", None)
    with pytest.raises(BuildError, match="is not registry/name:tag"):
        await any_builder.pull("r.test/shop", f"sha256:{'1' * 64}", None, lambda _: None)
