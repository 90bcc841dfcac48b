"""`cockpit init` as a process of its own, in real work trees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cockpit.cli import worktree
from cockpit.cli.worktree import without_password
from cockpit.config.load import load
from cockpit.errors import SourceError

ROOT = Path(__file__).parent.parent.parent
URL = "git@git.example.com:acme/shop.git"
SECRET = "hunter22"
COMPOSE = f"""
services:
  web:
    build: .
    ports: ["8000:8000"]
    restart: always
    environment:
      DATABASE_URL: postgres://shop:{SECRET}@db/shop
      LOG_LEVEL: info
  db:
    image: postgres:16
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A work tree with a remote."""
    shop = tmp_path / "Shop_Front"
    shop.mkdir()
    git(shop, "init", "--quiet")
    git(shop, "remote", "add", "origin", URL)
    return shop


@pytest.fixture
def config(own_home: Path) -> Path:
    """Where the configuration belongs, in a directory that is not there yet."""
    return own_home / "etc" / "deep" / "cockpit.yaml"


@pytest.fixture
def init(shop: Path, config: Path) -> Run:
    def run(*arguments: str, at: Path = shop) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COCKPIT_CONFIG": str(config)}
        command = [sys.executable, "-m", "cockpit.cli.main", "init", *arguments]
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            cwd=at,
            stdin=subprocess.DEVNULL,
        )

    return run


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(directory), *arguments], check=True, capture_output=True, timeout=30)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_in_a_work_tree_the_smallest_configuration_is_three_lines(shop: Path, init: Run, config: Path) -> None:
    (shop / "Dockerfile").write_text("FROM scratch\nEXPOSE 9000\n")
    done = init()
    assert done.returncode == 0, done.stderr
    assert config.read_text() == f"services:\n  shop-front:\n    repo: {URL}\n    port: 9000\n"
    assert (mode(config), mode(config.parent)) == (0o600, 0o700)
    assert "GET /up" in done.stderr
    assert "docs/adopt.md" in done.stdout
    assert "cockpit config check" in done.stdout
    service = load(config).placements[0].service
    assert (service.repo, service.main.port, service.path) == (URL, 9000, "")


def test_without_expose_the_port_is_a_choice_that_is_said(init: Run, config: Path) -> None:
    done = init()
    assert "    # where it listens: no EXPOSE said so\n    port: 8000\n" in config.read_text()
    assert "There is no Dockerfile here yet" in done.stderr


def test_a_folder_of_a_monorepo_becomes_the_service_s_path(shop: Path, init: Run, config: Path) -> None:
    folder = shop / "services" / "api"
    folder.mkdir(parents=True)
    assert init(at=folder).returncode == 0
    placement = load(config).placements[0]
    assert (placement.key.service, placement.service.path) == ("api", "services/api")


def test_a_compose_file_beside_it_is_pointed_out(shop: Path, init: Run) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    assert "`cockpit init --compose compose.yaml` carries it over" in init().stderr


def test_nothing_is_overwritten_unasked(init: Run, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("mine")
    done = init()
    assert done.returncode == 3
    assert "--force keeps it as cockpit.yaml.bak" in done.stderr
    assert config.read_text() == "mine"
    assert os.listdir(config.parent) == ["cockpit.yaml"]
    assert init("--force").returncode == 0
    assert (config.parent / "cockpit.yaml.bak").read_text() == "mine"
    assert URL in config.read_text()
    assert sorted(os.listdir(config.parent)) == ["cockpit.yaml", "cockpit.yaml.bak"]


def test_a_link_that_leads_nowhere_is_not_followed(init: Run, config: Path, tmp_path: Path) -> None:
    config.parent.mkdir(parents=True)
    config.symlink_to(tmp_path / "elsewhere")
    assert init().returncode == 3
    assert init("--force").returncode == 0
    assert not (tmp_path / "elsewhere").exists()
    assert not config.is_symlink()


def test_outside_of_a_work_tree_the_repository_is_asked_for(init: Run, config: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    done = init(at=outside)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"{outside} is not in a git work tree", "Say it yourself: --repo URL"]
    assert init("--repo", URL, at=outside).returncode == 0
    assert load(config).placements[0].service.repo == URL


def test_of_several_remotes_origin_speaks_for_all_and_otherwise_nobody(shop: Path, init: Run) -> None:
    git(shop, "remote", "add", "fork", "https://git.example.com/other.git")
    assert URL in init("--output", "-").stdout
    git(shop, "remote", "rename", "origin", "upstream")
    done = init("--output", "-")
    assert done.returncode == 2
    assert "has several remotes: fork, upstream" in done.stderr
    git(shop, "remote", "remove", "upstream")
    assert "https://git.example.com/other.git" in init("--output", "-").stdout
    git(shop, "remote", "remove", "fork")
    assert "has no remote" in init("--output", "-").stderr


@pytest.mark.parametrize("url", ["ext::sh -c id", "http://git.example.com/shop.git", "-u./evil"])
def test_an_address_that_git_would_not_be_given_is_refused(init: Run, config: Path, url: str) -> None:
    assert init(f"--repo={url}").returncode != 0
    assert not config.exists()


def test_a_password_in_the_remote_is_left_out_and_said(shop: Path, init: Run) -> None:
    git(shop, "remote", "set-url", "origin", f"https://deploy:{SECRET}@git.example.com/shop.git")
    done = init("--output", "-")
    assert "repo: https://git.example.com/shop.git\n" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert "left out" in done.stderr


def test_only_passwords_are_left_out_of_an_address() -> None:
    assert without_password("https://token@git.example.com/a@b.git") == "https://git.example.com/a@b.git"
    assert without_password("ssh://git:secret@git.example.com/a.git") == "ssh://git@git.example.com/a.git"
    for url in (URL, "ssh://git@git.example.com:22/a.git", "/srv/git/a.git", "https://git.example.com/a.git"):
        assert without_password(url) == url


def test_a_compose_file_becomes_a_configuration_and_a_file_of_secrets(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    done = init("--compose", "compose.yaml", "--project", "live")
    assert done.returncode == 0, done.stderr
    secrets = config.parent / "web.env"
    assert (mode(config), mode(secrets), mode(config.parent)) == (0o600, 0o600, 0o700)
    assert secrets.read_text() == f"DATABASE_URL='postgres://shop:{SECRET}@db/shop'\n"
    assert SECRET not in config.read_text() + done.stdout + done.stderr
    assert f"{secrets}: 1 secret, readable for you alone" in done.stdout
    process = load(config).placements[0].service.main
    assert [each.path for each in process.env_file] == [str(secrets)]
    assert (process.environment, process.networks) == ({"LOG_LEVEL": "info"}, ("live_default",))


def test_what_was_not_carried_over_is_said_in_the_file_and_beside_it(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    done = init("--compose", "compose.yaml")
    line = "restart (web line 6): Docker starts every container again until the cockpit stops it"
    assert f"Not carried over: {line}\n" in done.stderr
    assert f"#   {line}\n" in config.read_text()
    assert "Stays with Compose: db (postgres:16)\n" in done.stderr


def test_a_port_that_is_missing_is_said_where_it_is_read(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text("services: {web: {build: .}}")
    done = init("--compose", "compose.yaml", "--json")
    assert "web has no port yet, and nobody reaches it: write the port into the file.\n" in done.stderr
    assert json.loads(done.stdout)["wanting"] == ["web"]
    assert "# WRITE THE PORT that web listens at in place of null" in config.read_text()


def test_the_work_tree_is_the_compose_file_s(shop: Path, init: Run, config: Path, tmp_path: Path) -> None:
    (shop / "deploy").mkdir()
    (shop / "deploy" / "compose.yaml").write_text("services: {web: {build: ../app, ports: ['80']}}")
    assert init("--compose", str(shop / "deploy" / "compose.yaml"), at=tmp_path).returncode == 0
    service = load(config).placements[0].service
    assert (service.repo, service.path) == (URL, "app")


def test_to_standard_output_nothing_is_written(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    done = init("--compose", "compose.yaml", "--output", "-")
    assert done.stdout.startswith("# From compose.yaml by `cockpit init`.")
    assert SECRET not in done.stdout + done.stderr
    assert f"{config.parent / 'web.env'} was not written" in done.stderr
    assert not config.parent.exists()


def test_a_file_of_secrets_is_not_overwritten_either(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    config.parent.mkdir(parents=True)
    (config.parent / "web.env").write_text("MINE=1\n")
    assert init("--compose", "compose.yaml").returncode == 3
    assert os.listdir(config.parent) == ["web.env"]


def test_a_script_gets_one_document(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text(COMPOSE)
    said = json.loads(init("--compose", "compose.yaml", "--json").stdout)
    assert said["path"] == str(config)
    assert said["services"] == ["web"]
    assert said["env_files"] == [str(config.parent / "web.env")]
    assert [(each["service"], each["key"], each["line"]) for each in said["left"]] == [("web", "restart", 6)]
    assert [each["name"] for each in said["stays"]] == ["db"]


def test_a_directory_that_lets_nobody_write_is_said(shop: Path, init: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = init("--output", str(tmp_path / "file" / "cockpit.yaml"))
    assert done.returncode == 2
    assert "The configuration was not written." in done.stderr


def test_a_broken_compose_file_leaves_nothing_behind(shop: Path, init: Run, config: Path) -> None:
    (shop / "compose.yaml").write_text("services: [")
    done = init("--compose", "compose.yaml")
    assert done.returncode == 2
    assert "compose.yaml:1:12: expected YAML" in done.stderr
    assert not config.parent.exists()


def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "git"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(worktree, "TIMEOUT", 0.2)
    with pytest.raises(SourceError, match="git gave no answer"):
        worktree.work_tree(tmp_path)
