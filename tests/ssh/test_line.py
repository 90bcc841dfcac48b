"""One ssh to one host, against a real sshd: it comes up, is lost, comes back, and stops where a person is needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from functools import partial
from pathlib import Path

import docker as sdk
import pytest

from cockpit.clock import SystemClock
from cockpit.errors import ConfigError, LineDown
from cockpit.ssh import line as line_module
from cockpit.ssh.lane import ScriptFailed
from cockpit.ssh.line import Line
from cockpit.ssh.session import end_leftover
from cockpit.ssh.state import Condition, LineState
from tests.ssh.conftest import INSTALLATION, Lines
from tests.ssh.rig import Elsewhere, engine_with_a_line
from tests.stories.host import processes
from tests.waiting import until

WITHIN = 30.0  # seconds that a line gets on a busy machine
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can let others log in")


async def ups(line: Line) -> Line:
    await until(lambda: line.state.up, WITHIN, f"up: {line.state}")
    return line


async def stops(line: Line) -> LineState:
    await until(lambda: line.state.condition is Condition.STOPPED, WITHIN, f"stopped: {line.state}")
    return line.state


async def ask(socket: Path, said: bytes = b"GET / HTTP/1.0\r\n\r\n") -> bytes:
    """All that is answered at a local socket."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(said)
        return await reader.read()
    finally:
        writer.close()


async def greets(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(name.encode())
    writer.close()


# ---------------------------------------------------------------- up


async def test_what_answers_at_the_hosts_docker_socket_answers_at_a_local_one(
    host: Elsewhere, docker: asyncio.Server, lines: Lines
) -> None:
    line = await ups(lines(host.url))
    assert (await ask(line.sockets / "docker.sock")).endswith(b"OK")
    assert await line.excuse() is None


async def test_nobody_but_the_engine_enters_what_leads_to_docker(host: Elsewhere, lines: Lines, sockets: Path) -> None:
    line = await ups(lines(host.url))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (sockets, line.sockets, *line.sockets.iterdir())]
    assert modes == [0o700, 0o700] + [0o600] * 4


@pytest.mark.docker
async def test_the_sdk_speaks_to_docker_through_it(host: Elsewhere, lines: Lines) -> None:
    host.docker.symlink_to("/var/run/docker.sock")
    line = await ups(lines(host.url))

    def version() -> str:
        client = sdk.DockerClient(line.docker_url)
        try:
            return str(client.version()["ApiVersion"])
        finally:
            client.close()

    assert await asyncio.to_thread(version)


async def test_the_edges_sockets_lead_into_its_directory_on_the_host(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    directory = Path(line.known_edge())
    assert directory == host.home / ".local/state/deploy-cockpit" / INSTALLATION / "edge"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    (directory / "run").mkdir()
    for name in ("admin.sock", "probe.sock"):
        server = await asyncio.start_unix_server(partial(greets, name), directory / "run" / name)
        assert await ask(line.sockets / name) == name.encode()
        server.close()


async def test_a_port_of_the_host_is_reached_as_the_host_sees_it(host: Elsewhere, lines: Lines) -> None:
    server = await asyncio.start_server(partial(greets, "shop"), "127.0.0.1", 0)
    line = await ups(lines(host.url))
    way = await line.reach(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert await ask(way) == b"shop"
    server.close()


async def test_scripts_run_in_the_installations_directory(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    assert await line.run("pwd; ls") == f"{line.known_edge().parent}\nedge\n".encode()
    assert await line.run("head -c 5", given=b"a\0\nb'") == b"a\0\nb'"


async def test_a_script_that_fails_says_why_and_the_next_one_runs(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    with pytest.raises(ScriptFailed, match="No such file"):
        await line.run("cat nothing")
    assert await line.run("echo on") == b"on\n"


async def test_a_script_that_hangs_ends_at_its_deadline_and_the_next_one_runs(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    with pytest.raises(TimeoutError):
        await line.run("read -r never", timeout=0.3)
    assert await line.run("echo on") == b"on\n"


async def test_what_a_login_script_prints_is_passed_over(host: Elsewhere, lines: Lines) -> None:
    host.end()
    host.options["ForceCommand"] = "echo Welcome; echo; printf half; exec sh"
    host.start()
    line = await ups(lines(host.url))
    assert line.known_owner() == os.geteuid()
    assert await line.run("echo on") == b"on\n"


# ---------------------------------------------------------------- lost, and back


async def test_a_line_that_was_cut_comes_back_by_itself(host: Elsewhere, docker: asyncio.Server, lines: Lines) -> None:
    seen: list[Condition] = []
    line = await ups(lines(host.url, lambda state: seen.append(state.condition)))
    host.cut()
    await until(lambda: seen[-2:] == [Condition.LOST, Condition.UP], WITHIN)
    assert (await ask(line.sockets / "docker.sock")).endswith(b"OK")
    assert await line.run("echo on") == b"on\n"


async def test_a_host_that_falls_silent_is_seen_within_five_seconds(
    host: Elsewhere, docker: asyncio.Server, lines: Lines
) -> None:
    line = await ups(lines(host.url))
    assert await line.answers()
    with host.silence():
        await until(lambda: line.state.condition is Condition.LOST, 5.0)
        assert not await line.answers()
        with pytest.raises(ConnectionRefusedError):
            await ask(line.sockets / "docker.sock")
        with pytest.raises(LineDown, match=r"down for \ds: the host fell silent"):
            await line.run("true")
        excuse = await line.excuse()
    assert excuse is not None
    assert "reconnects by itself" in excuse.hint
    assert await (await ups(line)).answers()


async def test_a_silence_is_the_hosts_before_it_is_seen(host: Elsewhere, lines: Lines) -> None:
    """What asks somebody behind the line and hears nothing can ask whose silence it was."""
    line = await ups(lines(host.url))
    with host.silence():
        assert line.state.up
        assert not await line.answers()


async def test_a_script_under_way_when_the_line_is_cut_is_no_answer(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    asked = asyncio.create_task(line.run("echo $$ >asked; read -r never"))
    await until((Path(line.known_edge()).parent / "asked").exists)
    host.cut()
    with pytest.raises(LineDown, match="cut meanwhile"):
        await asked


async def test_ports_that_were_reached_are_reached_again_after_a_loss(host: Elsewhere, lines: Lines) -> None:
    server = await asyncio.start_server(partial(greets, "shop"), "127.0.0.1", 0)
    target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = await ups(lines(host.url))
    await line.reach(target)
    host.cut()
    await until(lambda: not line.state.up, WITHIN)
    with pytest.raises(LineDown):
        await line.reach(target)
    await ups(line)
    assert await ask(await line.reach(target)) == b"shop"
    server.close()


async def test_a_host_that_refuses_now_is_tried_until_it_is_there(host: Elsewhere, lines: Lines) -> None:
    host.end()
    line = lines(host.url)
    await until(lambda: "refused" in line.state.why, WITHIN)
    assert line.state.condition is Condition.CONNECTING
    host.start()
    await ups(line)


async def test_a_shell_that_ends_is_opened_again_through_the_same_connection(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    with pytest.raises(LineDown, match="cut meanwhile"):
        await line.run("kill $$")
    assert await line.run("echo on") == b"on\n"
    assert host.logins == 1


# ---------------------------------------------------------------- stopped, in words


async def test_a_changed_host_key_stops_and_names_the_line_of_known_hosts(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    host.end()
    host.new_host_key()
    host.start()
    state = await stops(line)
    assert "host key of 127.0.0.1 has changed" in state.why
    assert f"{host.root / 'known_hosts'}:1" in state.why
    assert f"ssh-keygen -f {host.root / 'known_hosts'} -R '[127.0.0.1]:{host.port}'" in state.hint
    host.make_known()
    line.try_now()
    await ups(line)


async def test_a_line_that_stopped_does_not_hammer_the_host(host: Elsewhere, lines: Lines) -> None:
    host.new_host_key()
    host.end()
    host.start()
    line = lines(host.url)
    await stops(line)
    tries = host.attempts
    with pytest.raises(AssertionError, match="another try"):  # five of the longest pauses between tries
        await until(lambda: host.attempts > tries, 5 * line_module.LONGEST_PAUSE, "another try")


async def test_a_host_key_that_nobody_knows_is_explained(host: Elsewhere, lines: Lines) -> None:
    (host.root / "known_hosts").write_text("")
    state = await stops(lines(host.url))
    assert "host key of 127.0.0.1 is not known" in state.why
    assert f"-p {host.port}" in state.hint
    assert not host.logins


async def test_a_key_that_is_not_let_in_is_explained(host: Elsewhere, lines: Lines) -> None:
    (host.root / "authorized_keys").write_text("")
    state = await stops(lines(host.url))
    assert "does not let us in" in state.why
    assert "Permission denied" in state.why
    assert "authorized_keys" in state.hint


async def test_a_user_that_the_host_does_not_know_is_explained(host: Elsewhere, lines: Lines) -> None:
    state = await stops(lines(f"ssh://nobody-of-that-name@127.0.0.1:{host.port}"))
    assert "nobody-of-that-name@127.0.0.1" in state.why
    assert "user must exist" in state.hint


async def test_a_host_that_nobody_knows_is_explained(host: Elsewhere, lines: Lines) -> None:
    state = await stops(lines("ssh://deploy@shop.invalid"))
    assert state.why == "there is no host called shop.invalid"


async def test_a_host_that_forbids_forwarding_is_explained(
    host: Elsewhere, docker: asyncio.Server, lines: Lines
) -> None:
    host.end()
    host.options["AllowStreamLocalForwarding"] = "no"
    host.start()
    state = await stops(lines(host.url))
    assert "forbids forwarding" in state.why
    assert "AllowStreamLocalForwarding yes" in state.hint


async def test_a_home_too_deep_for_the_edges_sockets_is_explained(host: Elsewhere, lines: Lines) -> None:
    host.end()
    host.environment["HOME"] = str(host.home / ("x" * 60))
    Path(host.environment["HOME"]).mkdir()
    host.start()
    assert "too long for a socket" in (await stops(lines(host.url))).why


async def test_a_user_without_a_shell_is_explained(host: Elsewhere, lines: Lines) -> None:
    host.end()
    host.options["ForceCommand"] = "echo This account is currently not available.; false"
    host.start()
    state = await stops(lines(host.url))
    assert "gives no shell: This account is currently not available." in state.why


@ROOT
async def test_a_user_whom_docker_does_not_know_is_explained_and_let_in_by_a_later_login(
    host: Elsewhere, docker: asyncio.Server, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "LOGIN_AGAIN", 0.5)
    host.end()
    host.options["ForceCommand"] = "exec setpriv --reuid=65534 --regid=65534 --clear-groups sh"
    host.home.chmod(0o777)
    for each in (host.home, *host.home.parents):
        with contextlib.suppress(PermissionError):
            each.chmod(each.stat().st_mode | 0o011)
    host.docker.chmod(0o660)
    host.start()
    line = await ups(lines(host.url))
    excuse = await line.excuse()
    assert excuse is not None
    assert "may not use Docker on 127.0.0.1" in excuse.message
    assert "usermod -aG docker" in excuse.hint
    host.docker.chmod(0o666)
    await until(lambda: line.state.up and not line.state.why, WITHIN)
    assert await line.excuse() is None


async def test_without_ssh_on_this_machine_it_says_so(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ssh is not installed" in (await stops(lines("ssh://deploy@shop.invalid"))).why


def test_a_directory_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long"):
        Line("ssh://shop", INSTALLATION, tmp_path / ("x" * 90), SystemClock())


# ---------------------------------------------------------------- the engine's own end


async def test_nothing_is_left_of_a_line_that_was_closed(host: Elsewhere, lines: Lines, sockets: Path) -> None:
    line = await ups(lines(host.url))
    await line.run("true")
    assert processes(str(sockets))
    await line.close()
    await until(lambda: not processes(str(sockets)), WITHIN)


async def test_an_engine_that_is_killed_leaves_no_ssh(host: Elsewhere, sockets: Path) -> None:
    engine = engine_with_a_line(host.url, sockets)
    assert engine.stdout is not None
    assert await asyncio.to_thread(engine.stdout.readline) == "up\n"
    assert len(processes(str(sockets))) >= 3  # the engine itself, the connection, a shell through it
    engine.kill()
    await asyncio.to_thread(engine.wait)
    await until(lambda: not processes(str(sockets)), WITHIN)
    engine.stdout.close()


async def test_what_a_killed_engine_left_is_no_hindrance(host: Elsewhere, lines: Lines) -> None:
    first = await ups(lines(host.url))
    left = list(first.sockets.iterdir())
    await first.close()
    for each in left:
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), each)
        server.close()
        if not each.exists():
            each.touch()
    await ups(lines(host.url))


async def test_a_connection_that_was_left_is_ended(host: Elsewhere, lines: Lines) -> None:
    line = await ups(lines(host.url))
    before = host.logins
    await end_leftover(line.sockets / "ctl", dict(os.environ))
    await until(lambda: host.logins > before and line.state.up, WITHIN)


async def test_the_agent_of_a_login_is_used_only_when_the_configuration_asks_for_it(
    host: Elsewhere, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(host.root / "agent"))

    async def agents(line: Line) -> set[bool]:
        found = processes(str(line.sockets / "ctl"))
        return {b"SSH_AUTH_SOCK=" in Path(f"/proc/{pid}/environ").read_bytes() for pid in found}

    first = await ups(lines(host.url))
    assert await agents(first) == {False}
    await first.close()
    config = host.root / "ssh_config"
    config.write_text(config.read_text() + "IdentityAgent SSH_AUTH_SOCK\n")
    assert await agents(await ups(lines(host.url))) == {True}
