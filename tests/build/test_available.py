"""What Docker says of an image in a registry: there, not there yet, or why nobody can tell."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from cockpit.build import distribution
from cockpit.build.base import Built, Login
from cockpit.build.daemon import THREADS
from cockpit.build.docker import DockerBuilder
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from tests.build.registries import HANG, PASSWORD, RESET, USER, V2, answer, odd
from tests.waiting import until

pytestmark = pytest.mark.docker


async def test_a_tag_has_its_digest_and_none_before_it_is_pushed(
    image: tuple[DockerBuilder, Built], registry: str
) -> None:
    builder, built = image
    reference = f"{registry}/team/shop:r1"
    assert await builder.available(reference, None) is None  # not even the repository
    pushed = await builder.push(built.image, reference, None, lambda _: None)
    assert await builder.available(reference, None) == pushed.digest
    assert await builder.available(f"{registry}/team/shop:r2", None) is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (answer("401 Unauthorized"), "refused the login"),
        (answer("403 Forbidden", b'{"errors":[{"code":"DENIED","message":"no"}]}'), "does not allow reading"),
        (answer("429 Too Many", b'{"errors":[{"code":"TOOMANYREQUESTS","message":"no"}]}'), "asks to slow down"),
        (answer("429 Too Many Requests"), "asks to slow down"),
        (answer("500 Internal Server Error"), "answered with a server error"),
        (answer("503 Service Unavailable", b"<html>"), "answered with a server error"),
        (answer("404 Not Found", b"<html>nothing here"), "is no registry"),
        (answer("200 OK", b"<html>log in", Content_Type="text/html"), "is no registry"),
        (answer("200 OK", b'{"a":1}', Content_Type="application/json"), "is no registry"),
        (answer("302 Found", Location="/again"), "is no registry"),
        (RESET, "cut the connection"),
    ],
)
async def test_what_a_registry_answers_is_explained(plain_builder: DockerBuilder, told: bytes, message: str) -> None:
    async with odd(told, V2) as registry:
        with pytest.raises(BuildError) as caught:
            await plain_builder.available(f"{registry.address}/a/b:c", Login(registry.address, USER, PASSWORD))
    assert message in caught.value.message
    assert registry.address in caught.value.message
    assert caught.value.hint
    assert PASSWORD not in repr(caught.value) + str(caught.value.log_tail)


async def test_a_registry_that_is_not_there_is_said(plain_builder: DockerBuilder) -> None:
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:9 cannot be reached"):
        await plain_builder.available("127.0.0.1:9/a/b:c", None)


async def test_a_registry_that_wants_a_login_says_so_and_takes_the_right_one(
    plain_builder: DockerBuilder, private_registry: str
) -> None:
    reference = f"{private_registry}/a/b:c"
    with pytest.raises(BuildError, match="wants a login"):
        await plain_builder.available(reference, None)
    with pytest.raises(BuildError, match="refused the login"):
        await plain_builder.available(reference, Login(private_registry, USER, "wrong"))
    assert await plain_builder.available(reference, Login(private_registry, USER, PASSWORD)) is None


async def test_a_registry_that_never_answers_is_said(
    plain_builder: DockerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "WITHIN", 0.5)
    async with odd(HANG, V2) as registry:
        with pytest.raises(BuildError, match=f"{registry.address} gave no answer"):
            await plain_builder.available(f"{registry.address}/a/b:c", None)


async def test_questions_that_were_given_up_keep_nobody_waiting(plain_builder: DockerBuilder) -> None:
    async with odd(HANG, V2) as registry:
        reference = f"{registry.address}/a/b:c"
        asking = [asyncio.create_task(plain_builder.available(reference, None)) for _ in range(20)]
        await until(lambda: sum(b"manifests" in head for head in registry.heard) >= THREADS)
        for each in asking:
            each.cancel()
        async with asyncio.timeout(2):
            ended = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        async with asyncio.timeout(2):
            assert await plain_builder.find(f"cockpit-test:{uuid.uuid4().hex}") is None


async def test_a_docker_that_is_not_there_is_no_registrys_fault(tmp_path: Path) -> None:
    builder = DockerBuilder(f"unix://{tmp_path}/none.sock", "t", SystemClock())
    with pytest.raises(BuildError, match="Docker does not answer"):
        await builder.available("r.test/a/b:c", None)
    await builder.close()


async def test_a_docker_that_hangs_is_no_registrys_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "WITHIN", 0.2)

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_unix_server(hang, tmp_path / "hung.sock")
    builder = DockerBuilder(f"unix://{tmp_path}/hung.sock", "t", SystemClock())
    with pytest.raises(BuildError, match="Docker does not answer"):
        await builder.available("r.test/a/b:c", None)
    await builder.close()
    server.close()
