"""The rules that conftest.py lays down for every other test."""

from __future__ import annotations

import asyncio
import time
import types
from pathlib import Path

import pytest
from blockbuster import BlockingError

import cockpit
from cockpit import paths

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[1] / "conftest.py"
NEEDS_DOCKER = "import pytest\n@pytest.mark.docker\ndef test_it(): pass\n"
INI = "[pytest]\nmarkers =\n  docker\n  blocking\n"


def ours(source: str) -> types.ModuleType:
    """A module whose code counts as the cockpit's own."""
    module = types.ModuleType("cockpit.made_up")
    file = Path(str(cockpit.__file__)).with_name("made_up.py")
    exec(compile(source, str(file), "exec"), module.__dict__)
    return module


SLEEPS = "import time\nasync def work(): time.sleep(0)\n"
READS = "async def work():\n    with open('/etc/hostname') as file: file.read()\n"
STATS = "from pathlib import Path\nasync def work(): return Path('/').exists()\n"
THREADS = "import asyncio, time\nasync def work(): await asyncio.to_thread(time.sleep, 0)\n"


@pytest.mark.parametrize("source", [SLEEPS, READS])
async def test_our_code_may_not_block_the_loop(source: str) -> None:
    with pytest.raises(BlockingError):
        await ours(source).work()


@pytest.mark.parametrize("source", [STATS, THREADS])
async def test_a_stat_and_a_thread_do_not_count_as_blocking(source: str) -> None:
    await ours(source).work()


@pytest.mark.blocking("shows that the mark opts out")
async def test_a_marked_test_may_block() -> None:
    await ours(SLEEPS).work()


async def test_what_the_test_itself_does_is_not_watched() -> None:
    time.sleep(0)  # noqa: ASYNC251  in the test itself, which may
    await asyncio.sleep(0)


def test_a_test_finds_no_file_of_the_person_who_runs_it(own_home: Path) -> None:
    found = paths.find()
    assert Path.home() == own_home
    assert found.config.is_relative_to(own_home)
    assert found.state.is_relative_to(own_home)


@pytest.mark.parametrize("name", ["SSH_AUTH_SOCK", "SUDO_USER", "DOCKER_CONFIG", "COCKPIT_CONFIG"])
def test_a_test_inherits_no_variable_of_the_person_who_runs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/srv/ana")
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(f"import os\ndef test_it(): assert os.environ.get({name!r}) != '/srv/ana'\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize(("ci", "outcome"), [("", {"skipped": 1}), ("true", {"errors": 1})])
def test_without_docker_a_docker_test_is_skipped_but_fails_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: dict[str, int]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{pytester.path}/absent.sock")
    monkeypatch.setenv("CI", ci)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(NEEDS_DOCKER)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**outcome)


@pytest.mark.parametrize(("ci", "outcome"), [("", {"skipped": 1}), ("true", {"failed": 1})])
def test_a_skip_does_not_pass_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: dict[str, int]
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile("import pytest\ndef test_it(): pytest.skip('no such tool')\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**outcome)
