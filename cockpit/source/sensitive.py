"""Which paths of a commit deserve a second look before it ships. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

_LOCK_FILES = frozenset(
    (
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
        "poetry.lock",
        "uv.lock",
        "pdm.lock",
        "pipfile.lock",
        "requirements.txt",
        "gemfile.lock",
        "composer.lock",
        "cargo.lock",
        "go.sum",
        "mix.lock",
        "packages.lock.json",
        "gradle.lockfile",
        "flake.lock",
    )
)
_DATABASE_FOLDERS = frozenset({"migrations", "migrate", "alembic", "flyway", "liquibase"})
_CONFIG_SUFFIXES = frozenset({".yaml", ".yml", ".toml", ".ini", ".conf", ".cfg", ".properties", ".env"})
_CONFIG_FOLDERS = frozenset({"config", "configs", "conf", "settings", "deploy", "helm", "k8s", "etc", ".github"})
_ORDER = ("db", "lock", "docker", "config")


def flags(paths: Iterable[str]) -> tuple[str, ...]:
    """Of "db", "lock", "docker", "config", those that any of the paths earns."""
    earned = {flag for path in paths for flag in _of(PurePosixPath(path.lower()))}
    return tuple(flag for flag in _ORDER if flag in earned)


def _of(path: PurePosixPath) -> set[str]:
    found = set()
    folders = set(path.parts[:-1])
    if path.suffix == ".sql" or folders & _DATABASE_FOLDERS:
        found.add("db")
    if path.name in _LOCK_FILES:
        found.add("lock")
    elif _is_docker(path):
        found.add("docker")
    elif _is_config(path, folders):
        found.add("config")
    return found


def _is_docker(path: PurePosixPath) -> bool:
    name = path.name
    return name == ".dockerignore" or name.startswith(("dockerfile", "containerfile")) or path.suffix == ".dockerfile"


def _is_config(path: PurePosixPath, folders: set[str]) -> bool:
    """A settings file at the top of a service or in a folder meant for them; data files deeper down are not."""
    if path.name == ".env" or path.name.startswith(".env."):
        return True
    return path.suffix in _CONFIG_SUFFIXES and (len(path.parts) <= 3 or bool(folders & _CONFIG_FOLDERS))
