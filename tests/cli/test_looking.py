from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from cockpit.cli import render
from cockpit.json_form import decode
from cockpit.model import Actor, Elsewhere, Operation, OperationKind, OperationState, Pending
from cockpit.paths import Paths
from cockpit.protocol import Checks, Releases, Snapshot
from tests.cli.conftest import Cli
from tests.fakes import world


def test_status_has_a_line_for_each_service_with_glyph_and_word(engine: Paths, cli: Cli) -> None:
    shown = cli("status")
    assert shown.returncode == 0
    staging, web, checkout = shown.stdout.splitlines()
    assert staging.startswith("● healthy  web/staging")
    assert "⏸ held by ben: rolled back r43" in staging
    assert "2 pending" in web
    assert checkout.startswith("✖ failing  checkout/production")
    assert checkout.endswith("503 on both replicas")


def test_status_says_what_a_dead_engine_left_and_what_another_bastion_does() -> None:
    actor, web = Actor("ana"), world.WEB
    at = time.time() - 130
    going = Operation(12, OperationKind.DEPLOY, web, actor, OperationState.RECOVERING, at, from_release=41)

    def line(operation: Operation | None = None, elsewhere: Elsewhere | None = None) -> str:
        shown = replace(world.placement(web), operation=None, elsewhere=elsewhere)
        found = (operation,) if operation else ()
        return render.placements(Snapshot(world.status(1), (shown,), found))[0]

    assert "▲ deploy 12 recovering: the engine died in it" in line(going)
    assert "✖ deploy 12 stuck: cockpit recover 12" in line(replace(going, state=OperationState.STUCK))
    assert "deploy 12" not in line(replace(going, state=OperationState.SUCCEEDED))
    other = Elsewhere("tom", "bastion-2", "deploy", at, "1a2b3c4d5e6f")
    assert "◐ deploy by tom on bastion-2 for 2m (lock 1a2b3c4d5e6f)" in line(elsewhere=other)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("status", "--json"), Snapshot),
        (("pending", "checkout", "--json"), Pending),
        (("releases", "web/staging", "--json"), Releases),
        (("doctor", "--json"), Checks),
    ],
)
def test_json_is_one_document_of_the_protocol(
    engine: Paths, cli: Cli, arguments: tuple[str, ...], kind: type[object]
) -> None:
    (line,) = cli(*arguments).stdout.splitlines()
    assert isinstance(decode(kind, json.loads(line)), kind)


def test_what_others_wrote_cannot_command_the_terminal(engine: Paths, cli: Cli) -> None:
    shown = cli("pending", "web/production").stdout + cli("logs", "checkout").stdout
    assert "Fetch [@click=x]prices once" in shown
    assert "[/x] [@click=app.quit]done[/]" in shown
    assert not set(shown) & {"\x1b", "\x07"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pending", "wbe"), "Did you mean web?"),
        (("pending", "web"), "web is in staging, production"),
        (("pending", "web", "prodution"), "Did you mean production?"),
        (("statsu",), "Did you mean status?"),
        (("show", "r7", "web/staging"), "has no release r7"),
        (("show", "r42"), "say of which"),
        (("show", "x42", "web/staging"), "A release is written r41"),
        (("show", "99"), "There is no operation 99"),
        (("logs",), "Missing argument"),
        (("logs", "99"), "There is no operation 99"),
        (("logs", "checkout", "--release", "r7"), "has no release r7"),
        (("status", "--jsno"), "No such option"),
        ((), "needs a terminal"),
    ],
)
def test_a_wrong_word_is_answered_with_what_was_meant(
    engine: Paths, cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    ran = cli(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_environment_may_be_left_out_when_there_is_one(engine: Paths, cli: Cli) -> None:
    assert "r41" in cli("releases", "checkout").stdout
    assert cli("show", "r41", "checkout").returncode == 0


def test_a_tail_is_as_long_as_asked(engine: Paths, cli: Cli) -> None:
    assert len(cli("logs", "checkout", "--tail", "2").stdout.splitlines()) == 2


def test_a_locale_without_the_glyphs_still_gets_the_words(engine: Paths, cli: Cli) -> None:
    shown = cli("status", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (shown.returncode, shown.stdout[:9]) == (0, "? healthy")


def test_the_version_is_said_without_an_engine(cli: Cli, paths: Paths) -> None:
    assert cli("--version").stdout.startswith("cockpit 0.")
    assert not paths.state.exists()


def test_the_engine_is_seen_and_stopped_and_stays_stopped(engine: Paths, cli: Cli) -> None:
    assert cli("engine", "status").returncode == 0
    assert "Stopped the engine" in cli("engine", "stop").stdout
    gone = cli("engine", "status")
    assert gone.returncode == 4
    assert "cockpit engine start" in gone.stderr
    assert cli("engine", "stop").returncode == 0


def test_every_service_is_found_by_its_key(engine: Paths, cli: Cli) -> None:
    for key in world.KEYS:
        assert cli("pending", str(key)).returncode == 0


def test_a_configuration_is_checked_without_an_engine(cli: Cli, paths: Paths) -> None:
    paths.config.write_text("servces: {}\n")
    ran = cli("config", "check")
    assert ran.returncode == 2
    assert f"{paths.config}:1:1" in ran.stderr
    assert "did you mean" in ran.stderr.lower()
    assert not paths.state.exists()


def test_the_example_is_a_configuration_that_passes_its_own_check(cli: Cli, paths: Paths) -> None:
    paths.config.write_text(cli("config", "example").stdout)
    paths.config.chmod(0o600)
    ran = cli("config", "check")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_configuration_of_one_service_is_said_to_have_one(cli: Cli, paths: Paths) -> None:
    paths.config.write_text("services: {web: {repo: /srv/web.git, port: 8000}}\n")
    paths.config.chmod(0o600)
    ran = cli("config", "check")
    assert (ran.stdout.splitlines()[0], ran.stderr) == (f"✔ {paths.config}: 1 service", "")


def test_the_schema_is_json(cli: Cli) -> None:
    assert json.loads(cli("config", "schema").stdout)["$schema"].startswith("https://json-schema.org")


def test_a_broken_configuration_keeps_a_verb_from_starting_an_engine(cli: Cli, paths: Paths) -> None:
    paths.config.write_text("servces: {}\n")
    ran = cli("status")
    assert ran.returncode == 2
    assert f"{paths.config}:1:1" in ran.stderr
