"""What the engine has seen of secret values is in no text that leaves it, its own log and its last words included."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import pytest

from cockpit.config.settings import Process, Settings
from cockpit.engine.known import KEPT, Known, Quiet, public_words
from cockpit.errors import TargetError
from cockpit.mask import MARK
from cockpit.model import Failure, Side
from cockpit.protocol import LOGS_OPEN, LogKind, LogRequest, WireError
from cockpit.text import LINE_LIMIT
from tests.engine.rig import SHOP, rig, service, settings
from tests.engine.test_logs import Reader, follow
from tests.fakes.target import Program

VALUE = "hunter22-Zm9v"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def known() -> Known:
    made = Known()
    made.learn("somewhere", VALUE)
    return made


@pytest.mark.parametrize(
    "raw",
    [
        f"says {VALUE} aloud",
        f"says {VALUE[:4]}\x00{VALUE[4:]} aloud",
        f"says {VALUE[:4]}\x1b[2K{VALUE[4:]} aloud",
        f"says \x1b[31m{VALUE[:4]}\x1b[0m{VALUE[4:]} aloud",
        f"says \x1b[31m{VALUE}\x1b[0m aloud",
        f"lost\rsays {VALUE} aloud",
    ],
)
def test_a_log_line_is_looked_at_as_a_terminal_shows_it(known: Known, raw: str) -> None:
    said = known.line(raw)
    assert MARK in said
    assert "unter" not in said
    assert "Zm9v" not in said
    assert "aloud" in said


def test_no_cut_leaves_a_part_of_a_value(known: Known) -> None:
    for before in range(LINE_LIMIT - len(VALUE) - 1, LINE_LIMIT + 1):
        assert "hunter" not in known.line("." * before + VALUE + "." * 50)
    assert "hunter" not in known.line(f"{VALUE} " * 4000 + VALUE[:8] + " … 90000 more bytes")


def test_what_is_said_of_a_failure_and_in_an_error_is_masked_and_its_names_are_not(known: Known) -> None:
    known.learn("elsewhere", "verify")
    failed = Failure("verify", Side.APPLICATION, f"a {VALUE}", f"b {VALUE}", f"c {VALUE}", f"d {VALUE}")
    assert known.failure(failed) == Failure("verify", Side.APPLICATION, *(f"{each} {MARK}" for each in "abcd"))
    error = WireError("failed", f"a {VALUE}", f"b {VALUE}", {"step": "verify", "side": "app", "line": f"c {VALUE}"})
    details = {"step": "verify", "side": "app", "line": f"c {MARK}"}
    assert known.error(error) == WireError("failed", f"a {MARK}", f"b {MARK}", details)


def test_what_the_configuration_says_openly_is_no_secret(known: Known) -> None:
    process = Process(port=8000, hosts=("shop.example.com",), environment={"REGION": "eu-central"})
    known.publish(public_words(settings((SHOP, service(processes={"web": process})))))
    for word in ("production", "eu-central", "shop.example.com"):
        known.learn(word, word)
    text = "production eu-central shop.example.com"
    assert known.hide(f"{text} {VALUE}") == f"{text} {MARK}"


def test_of_a_place_that_gives_a_new_value_each_time_the_last_ones_are_kept(known: Known) -> None:
    for number in range(KEPT + 10):
        known.learn("tokens", f"token-{number:04}")
    assert known.hide("token-0009 token-0010 token-0059") == f"token-0009 {MARK} {MARK}"
    assert known.hide(VALUE) == MARK


def test_stderr_is_masked_however_it_is_written(known: Known) -> None:
    out = io.StringIO()
    stderr = cast(TextIO, Quiet(known, out))
    for letter in f"a {VALUE} b\n":
        stderr.write(letter)
    print(f"KeyError: '{VALUE}'", file=stderr, flush=True)
    assert out.getvalue() == f"a {MARK} b\nKeyError: '{MARK}'\n"


DYING = f"""
import logging, sys
from pathlib import Path
from cockpit.engine import process
from cockpit.paths import find
from tests.fakes.engine import FakeEngine

class Dying(FakeEngine):
    async def start(self):
        self.known.learn("somewhere", "{VALUE}")
        logging.getLogger("x").warning("a request with %s", "{VALUE}")
        try:
            raise KeyError("{VALUE}")
        except KeyError:
            logging.getLogger("x").exception("it failed")
        raise RuntimeError("token={VALUE}")

async def build(paths):
    return Dying()

state = Path(sys.argv[1])
process.run(find(state / "cockpit.yaml", state), build, background=True)
"""


def test_an_engine_that_dies_of_a_value_tells_nobody(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    died = subprocess.run(
        [sys.executable, "-c", DYING, str(state)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    logged = (state / "engine.log").read_text()
    assert f"RuntimeError: token={MARK}" in died.stderr
    assert f"RuntimeError: token={MARK}" in logged
    assert f"KeyError: '{MARK}'" in logged
    assert f"a request with {MARK}" in logged
    assert VALUE not in logged + died.stderr + died.stdout


# ---------------------------------------------------------------- in an engine


def with_password(source: Path) -> Settings:
    source.write_text(VALUE)
    return settings((SHOP, service(secrets={"PASSWORD": {"file": str(source)}})))


@pytest.mark.parametrize("kind", [LogKind.SERVICE, LogKind.CONTAINER])
async def test_what_a_container_was_given_is_masked_in_its_log_after_a_start_of_the_engine(
    tmp_path: Path, kind: LogKind
) -> None:
    """Also when its source says something else by now."""
    async with rig(tmp_path, with_password(tmp_path / "password")) as shop:
        shop.target.programs[1] = Program(lines=(("out", f"connecting with {VALUE}"),))
        await shop.shipped("first")
        (tmp_path / "password").write_text("another one")
        await shop.again()
        reader, container = Reader(), next(each.name for each in shop.target.containers)
        asked = LogRequest(kind, SHOP, follow=False, container=container)
        await shop.engine.handlers()[LOGS_OPEN.name](reader, asked)
        await shop.until(lambda: reader.ended)
        assert reader.texts == [f"connecting with {MARK}"]


async def test_a_log_is_not_shown_when_nobody_can_say_what_is_secret_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(container: str) -> dict[str, str]:
        raise TargetError("Docker refused to inspect a container")

    async with rig(tmp_path, with_password(tmp_path / "password")) as shop:
        shop.target.programs[1] = Program(lines=(("out", VALUE),))
        await shop.shipped("first")
        await shop.again()
        monkeypatch.setattr(shop.target, "environment", refuse)
        reader = Reader()
        await follow(shop, reader, follow=False)
        await shop.until(lambda: reader.ended)
        assert reader.texts == []
        assert "refused to inspect" in reader.chunks[-1].note
