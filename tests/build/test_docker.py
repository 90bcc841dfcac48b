"""Builds on a real Docker engine, with both builders: failures, cancellation, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cockpit.build import command
from cockpit.build.base import BuildLine, BuildOrder
from cockpit.build.docker import DockerBuilder
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from tests.build.conftest import LABEL
from tests.waiting import until

if TYPE_CHECKING:
    from docker import DockerClient

SHELL = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\n"

pytestmark = pytest.mark.docker


def order(context: Path, dockerfile: str, **more: str) -> BuildOrder:
    ours = dockerfile.replace("FROM scratch\n", f"FROM scratch\nLABEL {LABEL}={context.name}\n", 1)
    (context / "Dockerfile").write_text(ours)
    return BuildOrder(context, "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}", more)


async def test_a_failing_run_is_told_with_its_status_and_last_lines(builder: DockerBuilder, context: Path) -> None:
    failing = order(context, SHELL + "RUN echo first; echo telling >&2; exit 3\n")
    with pytest.raises(BuildError) as caught:
        await builder.build(failing, lambda _: None)
    assert "ended with status 3" in caught.value.message
    assert sorted(caught.value.log_tail) == ["first", "telling"]  # Docker keeps no order between the two streams
    assert await builder.find(failing.tag) is None


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM scratch\nCOPY nothere /x\n", "nothere is not in the build context"),
        ("FROM scratch\nCOPZ a b\n", "cannot be read: line 3"),
        ("FROM 127.0.0.1:9/no/such:1\nCOPY busybox /x\n", "the base image 127.0.0.1:9/no/such:1 is not on this host"),
    ],
)
async def test_what_cannot_be_built_is_explained(
    builder: DockerBuilder, context: Path, dockerfile: str, message: str
) -> None:
    with pytest.raises(BuildError) as caught:
        await builder.build(order(context, dockerfile), lambda _: None)
    assert message in caught.value.message
    assert caught.value.hint


async def test_labels_arguments_and_target_reach_the_image(
    builder: DockerBuilder, context: Path, docker: DockerClient
) -> None:
    text = "FROM scratch AS one\nARG A\nCOPY busybox /x\nLABEL a=$A\nFROM one AS two\nLABEL two=yes\n"
    plain = order(context, text)
    wanted = BuildOrder(plain.context, plain.dockerfile, plain.tag, {"A": "--x=y z"}, "one", {"mine": "1"})
    built = await builder.build(wanted, lambda _: None)
    labels = docker.images.get(built.image).labels
    assert (labels["a"], labels["mine"], "two" in labels) == ("--x=y z", "1", False)


async def test_other_arguments_under_the_same_tag_are_built_anew(builder: DockerBuilder, context: Path) -> None:
    first = order(context, "FROM scratch\nARG A\nCOPY busybox /x\nLABEL a=$A\n", A="1")
    one = await builder.build(first, lambda _: None)
    two = await builder.build(BuildOrder(context, "Dockerfile", first.tag, {"A": "2"}), lambda _: None)
    assert (one.image != two.image, two.cached) == (True, False)


async def test_an_image_that_someone_else_tagged_is_not_taken_for_ours(
    builder: DockerBuilder, context: Path, docker: DockerClient
) -> None:
    tag = f"cockpit-test:{uuid.uuid4().hex}"
    (context / "Dockerfile").write_text("FROM scratch\nCOPY busybox /x\n")
    docker.images.build(path=str(context), tag=tag, rm=True)
    assert await builder.find(tag) is None
    docker.images.remove(tag)


async def test_a_dockerfile_that_leads_out_of_the_context_is_refused(
    builder: DockerBuilder, context: Path, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(BuildError, match="outside the build context"):
        await builder.build(BuildOrder(context, "../Dockerfile", "cockpit-test:x"), lambda _: None)


async def test_a_very_long_line_and_bytes_that_are_no_text_do_no_harm(
    builder: DockerBuilder, context: Path, lines: list[BuildLine]
) -> None:
    long = "busybox head -c 100000 /dev/zero | busybox tr '\\0' x"
    run = f"RUN {long}; echo {uuid.uuid4().hex}; busybox printf '\\377\\033[2J\\n'; echo end\n"
    await builder.build(order(context, SHELL + "ENV PATH=/bin\n" + run), lines.append)
    texts = [line.text for line in lines if "head -c" in line.name]
    assert any(text.startswith("x" * 60_000) for text in texts)
    assert any(text.endswith("\x1b[2J") for text in texts)
    assert "end" in texts


async def test_a_cancelled_build_ends_within_two_seconds_and_leaves_nothing(
    builder: DockerBuilder, context: Path, docker: DockerClient, lines: list[BuildLine]
) -> None:
    seconds = 100_000 + int.from_bytes(os.urandom(3))
    held = order(context, SHELL + f'RUN ["/bin/busybox", "sleep", "{seconds}"]\n')
    containers = {container.id for container in docker.containers.list(all=True, ignore_removed=True)}
    building = asyncio.create_task(builder.build(held, lines.append))
    await until(lambda: _runs(seconds), within=30)
    started = time.monotonic()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    await until(lambda: not _runs(seconds))
    assert time.monotonic() - started < 2
    assert await builder.find(held.tag) is None
    left = [each for each in docker.containers.list(all=True, ignore_removed=True) if each.id not in containers]
    assert not [each for each in left if str(seconds) in str(each.attrs["Config"]["Cmd"])]


async def test_a_build_that_is_cancelled_at_once_ends_and_leaves_nothing(
    builder: DockerBuilder, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    quick = order(context, SHELL)
    for delay in (0.0, 0.005, 0.03, 0.08):
        building = asyncio.create_task(builder.build(quick, lambda _: None))
        await asyncio.sleep(delay)
        building.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await building
    await until(lambda: not list((tmp_path / "temporary").iterdir()))


async def test_no_docker_at_all_is_said(context: Path, tmp_path: Path) -> None:
    for buildkit in (True, False):
        builder = DockerBuilder(f"unix://{tmp_path}/none.sock", "t", SystemClock(), buildkit=buildkit)
        with pytest.raises(BuildError, match="Docker does not answer"):
            await builder.build(order(context, SHELL), lambda _: None)
        await builder.close()


async def test_a_docker_that_cannot_do_buildkit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-installed client without buildx comes first on PATH, one with buildx after it."""
    for name, script in (("new", "echo 28.2.2; [ $1 = version ]"), ("able", "exit 0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/new:{tmp_path}/able:/usr/bin:/bin")
    found = await command.find("unix:///none")
    assert found == command.CommandLine(f"{tmp_path}/able/docker", buildx=True)


def test_values_are_never_options_of_their_own(tmp_path: Path) -> None:
    tool = command.CommandLine("docker", buildx=True)
    odd = BuildOrder(tmp_path, "-f", "a:b", {"--x": "--y"}, "--target", {})
    argv = command.arguments(tool, odd, {"--l": "--m"}, tmp_path / "i")
    assert all(
        each.startswith(("--", "/")) and (each in ("--load",) or "=" in each or each[0] == "/") for each in argv[3:]
    )


def _runs(seconds: int) -> bool:
    told = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, check=True).stdout.decode()
    return any(
        line.split()[1:] == ["/bin/busybox", "sleep", str(seconds)] and line[0] != "Z" for line in told.splitlines()
    )
