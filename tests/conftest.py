"""What every test gets: a home of its own, a rule for tests that need Docker, and a guard against blocking the loop."""

from __future__ import annotations

import functools
import http.client
import os
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster

# Prefixes of variables that would change what a test sees.
BORROWED = ("COCKPIT_", "XDG_", "GIT_", "SUDO_", "SSH_", "DOCKER_CONFIG")

# Not guarded: each touches one directory entry, which on a local disk is cheaper than a thread hop (DESIGN.md 1).
METADATA = ("stat", "access", "getcwd", "readlink", "mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the person who runs the tests is read or written; also the engines that a test starts inherit this."""
    home = tmp_path_factory.mktemp("home")
    for name in tuple(os.environ):
        if name.startswith(BORROWED):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name in ("config", "state", "cache", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(home / name))
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("COCKPIT_CONFIG", str(home / "cockpit.yaml"))
    monkeypatch.setenv("COCKPIT_STATE", str(home / "engine"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Docker a `docker` test is skipped with the reason; with CI set it fails, so that none is lost there."""
    if item.get_closest_marker("docker") is None:
        return
    reason = docker_missing()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI needs a Docker engine: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"{reason}; scripts/docker-up starts one")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI set a skipped test is a failure: that machine is root's and has, or installs, all that a test needs."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"not skipped in CI: {reason}"
    return report


@functools.cache
def docker_missing() -> str:
    """Why no engine answers at the local socket, or "" when one does."""
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    connection = http.client.HTTPConnection("docker", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no Docker engine answers at {path} ({error})"
    finally:
        connection.close()
    return "" if status == 200 else f"the Docker engine at {path} answers {status}"


@functools.cache
def _guard() -> BlockBuster:
    """Watches calls made from our own code on an event loop's thread; libraries and tests may do as they like."""
    guard = BlockBuster("cockpit")
    for name, function in tuple(guard.functions.items()):
        if name.startswith(("os.path.", "threading.Lock")) or name.removeprefix("os.") in METADATA:
            # Locks: setting an Event that a thread waits on holds one for microseconds, which would fail at random.
            del guard.functions[name]
        else:
            function.can_block_in("<frozen importlib._bootstrap>", "_find_and_load")  # a lazy import, once a process
    return guard


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """A blocking call from cockpit/ on an event loop raises; `@pytest.mark.blocking("why")` opts a test out."""
    if request.node.get_closest_marker("blocking") is not None:
        yield
        return
    _guard().activate()
    yield
    _guard().deactivate()
