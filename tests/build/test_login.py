"""Whose login goes along: the configuration's, or what the user's Docker configuration and its helpers have."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cockpit.build import docker as docker_room
from cockpit.build import lent, login
from cockpit.build.base import BuildLine, BuildOrder, Built, Login
from cockpit.build.command import CommandLine
from cockpit.build.daemon import Daemon
from cockpit.build.docker import DockerBuilder
from cockpit.clock import SystemClock
from cockpit.errors import BuildError
from tests.build.conftest import LABEL
from tests.build.registries import HANG, PASSWORD, USER, answer, odd
from tests.waiting import until

if TYPE_CHECKING:
    from docker import DockerClient

AT = "r.test:5000"
HUB = "https://index.docker.io/v1/"
OURS = Login(AT, USER, PASSWORD)

Helper = Callable[..., Path]


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helper:
    """Puts docker-credential-NAME on PATH; it notes what it was asked, then does as the script says."""

    def make(name: str, script: str) -> Path:
        folder = tmp_path / "helpers"
        folder.mkdir(exist_ok=True)
        program = folder / f"docker-credential-{name}"
        program.write_text(f'#!/bin/sh\nread server\necho "$* $server" >> {folder}/asked\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder / "asked"

    return make


def says(user: str, secret: str) -> str:
    return f"""echo '{json.dumps({"ServerURL": "x", "Username": user, "Secret": secret})}'"""


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def configure(file: Path, **content: Any) -> None:
    file.write_text(json.dumps(content))


async def test_nobody_is_logged_in_without_a_configuration(docker_config: Path) -> None:
    assert await login.of(None, AT) == {}
    configure(docker_config)
    assert await login.of(None, AT) == {}
    configure(docker_config, currentContext="default", HttpHeaders={"A": "b"})
    assert await login.of(None, AT) == {}


async def test_the_configurations_own_login_wins(docker_config: Path, helper: Helper) -> None:
    asked = helper("store", says("eve", "other"))
    configure(docker_config, credsStore="store", auths={AT: {"auth": encoded("eve", "other")}})
    assert await login.of(OURS, AT) == {"username": USER, "password": PASSWORD, "serveraddress": AT}
    assert not asked.exists()


@pytest.mark.parametrize("server", ["docker.io", "https://index.docker.io/v1/", "hub.docker.io"])
async def test_docker_hub_has_many_names_and_is_one_registry(server: str) -> None:
    assert (await login.of(Login(server, USER, PASSWORD), "docker.io"))["serveraddress"] == HUB


async def test_a_login_goes_to_no_other_registry() -> None:
    with pytest.raises(BuildError, match=r"the login is for r\.test:5000, the image is at other\.test") as caught:
        await login.of(OURS, "other.test")
    assert PASSWORD not in repr(caught.value)


@pytest.mark.parametrize("name", [AT, f"https://{AT}", f"https://{AT}/v2/"])
async def test_an_entry_of_the_file_is_found_however_it_is_written(docker_config: Path, name: str) -> None:
    configure(docker_config, auths={name: {"auth": encoded(USER, PASSWORD)}})
    found = await login.of(None, AT)
    assert (found["username"], found["password"]) == (USER, PASSWORD)
    assert await login.of(None, "other.test") == {}


async def test_the_directory_of_docker_config_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    configure(tmp_path / "config.json", auths={AT: {"identitytoken": "t0ken"}})
    assert await login.of(None, AT) == {"IdentityToken": "t0ken"}


async def test_a_helper_of_the_registry_is_asked_before_the_store_of_all(docker_config: Path, helper: Helper) -> None:
    helper("store", says("eve", "other"))
    asked = helper("own", says(USER, PASSWORD))
    configure(docker_config, credsStore="store", credHelpers={AT: "own"})
    assert (await login.of(None, AT))["username"] == USER
    assert (await login.of(None, "docker.io"))["username"] == "eve"
    assert asked.read_text() == f"get {AT}\nget {HUB}\n"


async def test_a_helper_may_give_an_identity_token(docker_config: Path, helper: Helper) -> None:
    helper("store", says("<token>", "t0ken"))
    configure(docker_config, credsStore="store")
    assert await login.of(None, AT) == {"identitytoken": "t0ken", "serveraddress": AT}


@pytest.mark.parametrize(
    "script", ["echo credentials not found in native keychain; exit 1", says("", "")], ids=["words", "nothing"]
)
async def test_what_a_helper_does_not_know_may_be_in_the_file(docker_config: Path, helper: Helper, script: str) -> None:
    helper("store", script)
    configure(docker_config, credsStore="store", auths={AT: {"auth": encoded(USER, PASSWORD)}})
    assert (await login.of(None, AT))["password"] == PASSWORD
    assert await login.of(None, "other.test") == {}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo the vault is locked >&2; exit 3", "has no login for r.test:5000: the vault is locked"),
        ("exit 1", "it did not say why"),
        (f"{says(USER, PASSWORD)}; exit 1", "it did not say why"),
        ("echo hello", "gave an answer that is no login"),
        (f"echo '[\"{PASSWORD}\"]'", "gave an answer that is no login"),
        ("", "gave an answer that is no login"),
    ],
)
async def test_what_a_helper_refuses_is_said_without_the_password(
    docker_config: Path, helper: Helper, script: str, message: str
) -> None:
    helper("store", script)
    configure(docker_config, credsStore="store")
    with pytest.raises(BuildError) as caught:
        await login.of(None, AT)
    assert message in caught.value.message
    assert "docker-credential-store" in caught.value.message
    assert caught.value.hint
    assert PASSWORD not in repr(caught.value) + caught.value.hint


async def test_a_helper_that_is_not_installed_is_said(docker_config: Path) -> None:
    configure(docker_config, credHelpers={AT: "nowhere"})
    with pytest.raises(BuildError, match="docker-credential-nowhere cannot be run"):
        await login.of(None, AT)
    assert await login.of(None, "other.test") == {}


async def test_a_helper_that_hangs_is_ended_with_all_that_it_started(
    docker_config: Path, helper: Helper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "HELPER", 0.3)
    helper("store", f"sleep 1000000 & echo $! > {tmp_path}/child; wait")
    configure(docker_config, credsStore="store")
    with pytest.raises(BuildError, match="docker-credential-store gave no answer"):
        await login.of(None, AT)
    child = int((tmp_path / "child").read_text())
    await until(lambda: not _runs(child))


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '"x"', '{"auths": {"r.test:5000": {"auth": "%%%"}}}', '{"auths": [1]}', '{"credHelpers": ["x"]}'],
)
async def test_a_file_that_is_no_docker_configuration_is_said(docker_config: Path, content: str) -> None:
    docker_config.write_text(content)
    with pytest.raises(BuildError, match=r"config\.json is no Docker configuration"):
        await login.of(None, AT)


async def test_a_file_that_cannot_be_read_is_said(docker_config: Path) -> None:
    docker_config.mkdir()
    with pytest.raises(BuildError, match=r"config\.json cannot be read"):
        await login.of(None, AT)


async def test_a_helper_that_fails_keeps_no_build_from_the_other_logins(docker_config: Path, helper: Helper) -> None:
    helper("bad", "exit 1")
    configure(docker_config, credHelpers={"bad.test": "bad"}, auths={"a.test": {"auth": encoded(USER, PASSWORD)}})
    failed: list[BuildError] = []
    found = await login.everyones((OURS,), failed.append)
    assert {name: each["password"] for name, each in found.items()} == {"a.test": PASSWORD, AT: PASSWORD}
    assert ["bad" in each.message for each in failed] == [True]


# ---------------------------------------------------------------- a directory for the command line


async def test_a_lent_configuration_is_the_users_with_our_logins_and_gone_afterwards(docker_config: Path) -> None:
    theirs = {"credsStore": "store", "auths": {"a.test": {}}, "credHelpers": {"b.test": "b"}, "proxies": {}}
    configure(docker_config, **theirs)
    (docker_config.parent / "cli-plugins").mkdir()
    (docker_config.parent / "cli-plugins/docker-x").write_text("x")
    daemon = Daemon("local")
    async with lent.lent(daemon, (OURS,)) as folder:
        assert folder is not None
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600
        assert (folder / "cli-plugins/docker-x").read_text() == "x"
        assert json.loads((folder / "config.json").read_text()) == {
            "credsStore": "store",
            "proxies": {},
            "auths": {"a.test": {}, AT: {"auth": encoded(USER, PASSWORD)}},
            "credHelpers": {"b.test": "b", AT: ""},
        }
    assert not folder.exists()
    assert (docker_config.parent / "cli-plugins/docker-x").read_text() == "x"
    daemon.close()


def test_a_lent_configuration_whose_engine_was_killed_is_gone_when_the_next_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, alive = tmp_path / f"cockpit-login-{int(ended.stdout)}-abc", tmp_path / f"cockpit-login-{os.getpid()}-abc"
    for each in (dead, alive, tmp_path / "cockpit-login-else"):
        each.mkdir()
        (each / "config.json").touch()
    lent.clear()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([alive.name, "cockpit-login-else"])


async def test_a_lent_configuration_is_gone_whenever_its_build_is_cancelled(docker_config: Path) -> None:
    daemon = Daemon("local")

    async def build() -> None:
        async with lent.lent(daemon, (OURS,)):
            await asyncio.Event().wait()

    for turns in range(6):
        building = asyncio.create_task(build())
        for _ in range(turns):
            await asyncio.sleep(0)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
    await until(lambda: not list(Path(os.environ["XDG_RUNTIME_DIR"]).glob("cockpit-login-*")))
    daemon.close()


async def test_without_logins_of_ours_the_users_configuration_is_used_itself() -> None:
    daemon = Daemon("local")
    async with lent.lent(daemon, ()) as folder:
        assert folder is None
    daemon.close()


async def test_no_password_is_an_argument_or_in_the_environment_of_a_build(
    tmp_path: Path, context: Path, helper: Helper, installation: str
) -> None:
    """A docker that notes how it was called, and fails."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\n{{ echo "$@"; env; ls -ld "$DOCKER_CONFIG"; }} > {tmp_path}/called\nexit 1\n')
    program.chmod(0o755)
    builder = DockerBuilder("local", installation, SystemClock())
    builder._tool, builder._tool_known = CommandLine(str(program), buildx=True), True
    (context / "Dockerfile").write_text("FROM scratch\n")
    order = BuildOrder(context, "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}", logins=(OURS,))
    assert PASSWORD not in repr(order)
    with pytest.raises(BuildError):
        await builder.build(order, lambda _: None)
    called = (tmp_path / "called").read_text()
    assert "drwx------" in called
    assert PASSWORD not in called
    assert encoded(USER, PASSWORD) not in called
    await builder.close()


# ---------------------------------------------------------------- a real registry behind a password


@pytest.fixture(params=["ours", "file", "helper"])
def way_in(
    request: pytest.FixtureRequest, private_registry: str, docker_config: Path, helper: Helper
) -> tuple[str, Login | None]:
    if request.param == "ours":
        helper("store", "exit 9")  # never asked about this registry
        configure(docker_config, credsStore="store")
        return private_registry, Login(private_registry, USER, PASSWORD)
    if request.param == "file":
        configure(docker_config, auths={private_registry: {"auth": encoded(USER, PASSWORD)}})
    else:
        helper("store", says(USER, PASSWORD))
        configure(docker_config, credHelpers={private_registry: "store"})
    return private_registry, None


@pytest.mark.docker
async def test_every_login_pushes_asks_and_pulls(
    image: tuple[DockerBuilder, Built], way_in: tuple[str, Login | None], docker: DockerClient
) -> None:
    builder, built = image
    registry, ours = way_in
    reference = f"{registry}/team/shop:r1"
    pushed = await builder.push(built.image, reference, ours, lambda _: None)
    assert await builder.available(reference, ours) == pushed.digest
    docker.images.remove(built.image, force=True)
    assert (await builder.pull(reference, pushed.digest, ours, lambda _: None)).image == built.image


@pytest.mark.docker
async def test_every_login_gets_the_base_image_of_a_build(
    image: tuple[DockerBuilder, Built],
    builder: DockerBuilder,
    context: Path,
    way_in: tuple[str, Login | None],
    docker: DockerClient,
) -> None:
    registry, ours = way_in
    base = f"{registry}/team/base:r1"
    await image[0].push(image[1].image, base, ours, lambda _: None)
    docker.images.remove(image[1].image, force=True)
    (context / "Dockerfile").write_text(f"FROM {base}\nLABEL {LABEL}={context.name}\nCOPY busybox /y\n")
    logins = (ours,) if ours else ()
    order = BuildOrder(context, "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}", logins=logins)
    assert (await builder.build(order, lambda _: None)).image.startswith("sha256:")
    assert not list(Path(os.environ["XDG_RUNTIME_DIR"]).glob("cockpit-login-*"))


@pytest.mark.docker
async def test_a_base_image_behind_a_password_needs_a_login(
    image: tuple[DockerBuilder, Built],
    builder: DockerBuilder,
    context: Path,
    private_registry: str,
    docker: DockerClient,
    docker_config: Path,
    lines: list[BuildLine],
) -> None:
    base = f"{private_registry}/team/base:r1"
    await image[0].push(image[1].image, base, Login(private_registry, USER, PASSWORD), lambda _: None)
    docker.images.remove(image[1].image, force=True)
    (context / "Dockerfile").write_text(f"FROM {base}\nLABEL {LABEL}={context.name}\nCOPY busybox /y\n")
    order = BuildOrder(context, "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}")
    with pytest.raises(BuildError, match=f"the base image {base} is not on this host and was not got"):
        await builder.build(order, lines.append)
    configure(docker_config, credHelpers={private_registry: "nowhere"})
    with pytest.raises(BuildError):
        await builder.build(order, lines.append)
    assert any("docker-credential-nowhere" in line.text for line in lines)


@pytest.mark.docker
@pytest.mark.parametrize("hangs", ["helper", "registry"])
async def test_a_base_image_that_nobody_answers_for_ends_the_build(
    buildkit_builder: DockerBuilder,
    context: Path,
    docker_config: Path,
    helper: Helper,
    monkeypatch: pytest.MonkeyPatch,
    hangs: str,
) -> None:
    monkeypatch.setattr(docker_room, "ASKING", 1.0)
    asked = helper("store", "sleep 1000000")
    unauthorized = answer("401 Unauthorized", WWW_Authenticate="Basic realm=x")
    async with odd(unauthorized if hangs == "helper" else HANG) as registry:
        if hangs == "helper":
            configure(docker_config, credHelpers={registry.address: "store"})
        base = f"{registry.address}/team/base:r1"
        (context / "Dockerfile").write_text(f"FROM {base}\nLABEL {LABEL}={context.name}\n")
        order = BuildOrder(context, "Dockerfile", f"cockpit-test:{uuid.uuid4().hex}")
        with pytest.raises(BuildError, match=f"the base image {base}: no answer within 1 s"):
            await buildkit_builder.build(order, lambda _: None)
    assert asked.exists() is (hangs == "helper")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
