"""Names, addresses, files and repositories that try to run a command at every entrance: none runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cockpit.build.base import BuildOrder
from cockpit.build.command import CommandLine, arguments
from cockpit.clock import SystemClock
from cockpit.config.compose.building import Repository as Checkout
from cockpit.config.compose.convert import convert
from cockpit.config.load import load
from cockpit.engine import env_file
from cockpit.engine.secrets import Secrets
from cockpit.errors import CockpitError
from cockpit.source.base import Repository
from cockpit.source.git import GitSource
from tests.source.remotes import Remote, remote

PROGRAMS = (
    *("sh", "bash", "env", "python", "python3", "perl", "sudo", "ssh", "scp", "curl", "wget", "nc", "docker", "gpg"),
    *("touch", "id", "cat", "less", "vi", "git-upload-pack", "git-remote-ext", "git-remote-evil", "git-evil", "hook"),
)


class Traps:
    """All that PATH has, but git. Each of them, and each payload, leaves its trace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.programs = path / "programs"
        self.marker = path / "marker"
        self.record = path / "record"
        self.programs.mkdir()
        for name in PROGRAMS:
            self.plant(self.programs / name)
        (self.programs / "git").symlink_to(str(shutil.which("git")))

    def plant(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\n(printf "%s" "$0"; printf " [%s]" "$@"; echo) >> {self.record}\nexit 1\n')
        file.chmod(0o755)

    @property
    def command(self) -> str:
        """Needs no program, and also calls one."""
        return f": >{self.marker};touch {self.marker}"

    @property
    def ran(self) -> list[str]:
        """ssh is what git fetches with; what it is told to do is looked at."""
        calls = self.record.read_text().splitlines() if self.record.exists() else []
        wrong = [each for each in calls if not each.startswith(f"{self.programs}/ssh ") or "[-oProxy" in each]
        return wrong + (["a payload"] if self.marker.exists() else [])


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Traps:
    made = Traps(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return made


@pytest.fixture
async def source(traps: Traps) -> AsyncIterator[GitSource]:
    made = GitSource(traps.path / "mirrors", SystemClock())
    yield made
    await made.close()
    assert traps.ran == []


def payloads(command: str) -> tuple[str, ...]:
    """As a shell, an option parser or a template would take them."""
    tight = command.replace(" ", "${IFS}")
    return (
        f"$({command})",
        f"`{command}`",
        f"; {command} #",
        f"| {command}",
        f"'; {command}; '",
        f'"; {command}; "',
        f"\n{command}\n",
        f"--upload-pack={command}",
        f"--output={command.rpartition(' ')[2]}",
        f"-oProxyCommand={tight}",
        f"!{command}",
        f"ext::sh -c '{command}'",
        f"{{{{{command}}}}}",
    )


def test_the_traps_work(traps: Traps) -> None:
    subprocess.run(["touch", "x"], check=False)
    assert len(traps.ran) == 1
    subprocess.run(["/bin/sh", "-c", traps.command], check=False)
    assert len(traps.ran) == 3


# ---------------------------------------------------------------- repositories


async def every_question(source: GitSource, where: Repository, commit: str, path: str, into: Path) -> None:
    for ask in (
        lambda: source.fetch(where),
        lambda: source.known(where),
        lambda: source.pending(where, None, path),
        lambda: source.pending(where, commit, path),
        lambda: source.between(where, commit, commit, path),
        lambda: source.commit(where, commit),
        lambda: source.tree(where, commit, path),
        lambda: source.diff(where, None, commit, path),
        lambda: source.diff(where, commit, commit, path),
        lambda: source.keep(where, commit),
        lambda: source.archive(where, commit, path, into),
    ):
        with suppress(CockpitError):
            await ask()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    place = tmp_path / "into"
    place.mkdir()
    return place


@pytest.mark.parametrize("number", range(13))
async def test_an_address_runs_nothing(source: GitSource, traps: Traps, number: int) -> None:
    payload = payloads(traps.command)[number]
    for form in (
        "{}",
        "{}/x.git",
        "/{}",
        "file:///{}",
        "ssh://{}/x",
        "ssh://git@host/{}",
        "git@host:{}",
        "{}:x",
        "{}@host:x",
        "https://127.0.0.1:1/{}",
        "http://127.0.0.1:1/{}",
        "evil::{}",
        "evil://{}",
    ):
        with suppress(CockpitError):
            await source.fetch(Repository(form.format(payload)))


@pytest.mark.parametrize("number", range(13))
async def test_branches_shas_and_paths_run_nothing(
    source: GitSource, traps: Traps, into: Path, tmp_path: Path, number: int
) -> None:
    payload = payloads(traps.command)[number]
    origin = remote(tmp_path / "origin")
    head = origin.commit("one", {"a": "1\n"})
    allowed = payload.replace(" ", "${IFS}").replace(":", "").replace("\n", "")
    with suppress(subprocess.CalledProcessError):  # names that git itself refuses
        origin.git("update-ref", f"refs/heads/{allowed}", head)
        origin.git("update-ref", f"refs/tags/{allowed}", head)
    for branch in (allowed, payload):
        await every_question(source, Repository(origin.url, branch), head, "", into)
    where = Repository(origin.url)
    await every_question(source, where, payload, "", into)
    await every_question(source, where, head, payload, into)
    assert not any(Path.cwd().iterdir())


def hostile(origin: Remote, traps: Traps) -> str:
    """Hooks, filters, drivers and monitors in its settings; and a commit that asks for all of them."""
    hooks = origin.path / ".git" / "hooks"
    for name in ("post-checkout", "post-merge", "pre-auto-gc", "reference-transaction", "update", "fsmonitor-watchman"):
        traps.plant(hooks / name)
    names = [each for each in payloads(traps.command) if "/" not in each]
    names += ["$(touch pwn)", "`touch pwn`", "-rf", "--checkpoint-action=exec=touch pwn", ";touch pwn", "|touch pwn"]
    files: dict[str, str | bytes] = {
        **dict.fromkeys(names, "x\n"),
        ".gitattributes": "* filter=evil diff=evil merge=evil export-subst text ident\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "{traps.command}"\n'
        f"\tupdate = !{traps.command}\n"
        f'[submodule "../../hooks"]\n\tpath = y\n\turl = -u{traps.command}\n',
        ".lfsconfig": f'[lfs]\n\turl = "evil::{traps.command}"\n',
        "Makefile": f"$(shell {traps.command})\n",
        "a.bin": b"\0\1",
        "ident": "$Format:%(trailers:key=x)$ $Id$\n",
    }
    head = origin.commit(f"$({traps.command}) `{traps.command}`", files, author="$(touch pwn)")
    for key, value in {
        "core.fsmonitor": traps.command,
        "core.sshCommand": traps.command,
        "core.hooksPath": str(hooks),
        "core.pager": traps.command,
        "core.editor": traps.command,
        "diff.external": "hook",
        "diff.evil.command": "hook",
        "diff.evil.textconv": "hook",
        "filter.evil.clean": "hook",
        "filter.evil.smudge": "hook",
        "filter.evil.process": "hook",
        "merge.evil.driver": "hook",
        "uploadpack.packObjectsHook": "hook",
        "credential.helper": f"!{traps.command}",
        "gpg.program": "hook",
        "alias.upload-pack": f"!{traps.command}",
    }.items():
        origin.git("config", key, value)
    return head


async def test_a_repository_with_hooks_filters_and_submodules_runs_nothing(
    source: GitSource, traps: Traps, into: Path, tmp_path: Path
) -> None:
    origin = remote(tmp_path / "origin")
    head = hostile(origin, traps)
    where = Repository(origin.url)
    assert (await source.fetch(where)).head == head
    await every_question(source, where, head, "", into)
    assert "Makefile" in {each.name for each in into.iterdir()}
    assert not any(Path.cwd().iterdir())
    assert not list(tmp_path.rglob("pwn"))


# ---------------------------------------------------------------- files


def wherever(payload: str) -> dict[str, object]:
    """In every text that a configuration takes."""
    return {
        "environments": {"production": {"host": payload, "edge": {"listen": payload}}},
        "registry": {"server": payload, "username": payload, "password": {"command": ["touch", payload]}},
        "services": {
            "web": {
                "repo": payload,
                "branch": payload,
                "path": payload,
                "image": payload,
                "hosts": [payload],
                "command": payload,
                "build": {"context": payload, "dockerfile": payload, "args": {"A": payload}, "target": payload},
                "healthcheck": {"path": f"/{payload}", "test": payload},
                "environment": {"A": payload},
                "env_file": payload,
                "secrets": {"S": {"command": [payload]}, "T": {"file": payload}, "U": {"environment": payload}},
                "volumes": [payload],
                "networks": [payload],
                "labels": {payload: payload},
                "migrate": payload,
            },
            payload: {"repo": payload},
        },
    }


@pytest.mark.parametrize("number", range(13))
def test_a_configuration_runs_nothing_when_it_is_read(traps: Traps, number: int) -> None:
    payload, file = payloads(traps.command)[number], traps.path / "cockpit.yaml"
    whole = wherever(payload)
    service = {"repo": "git@host:x.git", "environment": {"A": payload}, "command": ["run", payload]}
    for document in (whole, {"services": {"web": service}}, *({key: value} for key, value in whole.items())):
        file.write_text(yaml.safe_dump(document))
        with suppress(CockpitError):
            load(file)
    assert traps.ran == []


@pytest.mark.parametrize(
    "text",
    [
        "services: !!python/object/apply:os.system ['COMMAND']",
        "services: {web: {repo: !!python/object/apply:subprocess.check_output [['touch', 'x']]}}",
        "!!python/object/new:os.system ['COMMAND']",
        "!!python/module:os",
        "!!python/name:os.system",
        "!exec 'COMMAND'",
        "a: !include /etc/passwd",
        "&a [*a]",
        "<<: !!python/object/apply:os.system ['COMMAND']",
        "%TAG ! tag:yaml.org,2002:python/\n---\n!object/apply:os.system ['COMMAND']",
    ],
)
def test_tags_of_yaml_run_nothing(traps: Traps, text: str) -> None:
    file = traps.path / "cockpit.yaml"
    file.write_text(text.replace("COMMAND", traps.command))
    with pytest.raises(CockpitError):
        load(file)
    assert traps.ran == []


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "key")


async def test_an_env_file_is_read_and_not_run(traps: Traps, secrets: Secrets) -> None:
    values = {f"V{number}": each for number, each in enumerate(payloads(traps.command)) if "\n" not in each}
    wild = {name: value for name, value in values.items() if "'" not in value}
    text = "".join(f"{name}='{value}'\n" for name, value in wild.items())
    assert env_file.parse(text, "x.env") == wild
    file = traps.path / "app.env"
    for line in payloads(traps.command):
        file.write_text(f"A={line}\n{line}\nexport B=$({line})\n. {line}\n")
        with suppress(CockpitError):
            await secrets.env_files((str(file),))
    assert traps.ran == []


def compose_service(payload: str) -> dict[str, object]:
    return {
        "build": ".",
        "command": payload,
        "entrypoint": payload,
        "environment": {"A": payload, "B": f"${{X:-{payload}}}"},
        "env_file": ["app.env"],
        "labels": {"a": payload},
        "healthcheck": {"test": payload},
    }


def test_carrying_over_a_compose_file_runs_nothing(traps: Traps) -> None:
    project = remote(traps.path / "project")
    hostile(project, traps)
    project.git("remote", "add", "origin", "git@git.example.com:acme/shop.git")
    (project.path / "app.env").write_text(f"A=$({traps.command})\nB=`{traps.command}`\n")
    (project.path / ".env").write_text(f"X='$({traps.command})'\n")
    services = {f"s{number}": compose_service(each) for number, each in enumerate(payloads(traps.command))}
    services["s0"]["ports"] = ["8000"]
    file, output = project.path / "compose.yaml", traps.path / "cockpit.yaml"
    file.write_text(yaml.safe_dump({"services": services}))
    done = subprocess.run(
        [sys.executable, "-m", "cockpit.cli.main", "init", "--compose", str(file), "--output", str(output)],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert output.exists(), done.stdout + done.stderr
    assert traps.ran == []


@pytest.mark.parametrize("number", range(13))
def test_a_compose_file_that_is_refused_runs_nothing_either(traps: Traps, number: int) -> None:
    payload = payloads(traps.command)[number]
    plain = compose_service("run")
    file = traps.path / "compose.yaml"
    for change in ({"build": payload}, {"image": payload}, {"ports": [payload]}, {"env_file": payload}, {payload: 1}):
        file.write_text(yaml.safe_dump({"services": {"web": {**plain, **change}}, "name": payload}))
        for url in ("git@host:x.git", payload):
            with suppress(CockpitError):
                convert(file, Checkout(url, traps.path), traps.path)
    assert traps.ran == []


# ---------------------------------------------------------------- builders


@pytest.mark.parametrize("number", range(13))
def test_no_word_of_a_configuration_becomes_an_option_of_the_builder(traps: Traps, number: int) -> None:
    """Each stands behind an option's name, in the same word: there is no shell, and nothing to split."""
    payload, plain = payloads(traps.command)[number], BuildOrder(context=traps.path, dockerfile="Dockerfile", tag="t")
    odd = replace(plain, dockerfile=payload, tag=payload, args={"A": payload}, target=payload, labels={"a": payload})
    made = arguments(CommandLine("docker", buildx=True), odd, {"l": payload}, traps.path)
    simple = replace(plain, args={"A": "x"}, target="x", labels={"a": "x"})
    usual = arguments(CommandLine("docker", buildx=True), simple, {"l": "x"}, traps.path)
    assert [each.partition("=")[0] for each in made] == [each.partition("=")[0] for each in usual]
