"""The first configuration: the smallest one, or what a Compose file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click

from cockpit.cli.output import document, part, say, tell
from cockpit.cli.placing import place
from cockpit.cli.root import cockpit, json_option
from cockpit.cli.session import Session
from cockpit.cli.worktree import WorkTree, root, without_password, work_tree

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
STDOUT = "-"


@dataclass
class Made:
    """A configuration that is not written yet. `said` is about it, for the person who asked."""

    text: str
    services: tuple[str, ...]
    said: list[str]
    secrets: dict[Path, dict[str, str]] = field(default_factory=dict)
    left: tuple[object, ...] = ()
    stays: tuple[object, ...] = ()
    wanting: tuple[str, ...] = ()


@cockpit.command()
@click.option("--compose", type=click.Path(path_type=Path), help="Carry over what this Compose file says.")
@click.option("--repo", default="", help="The git repository's URL; without it the remote of the work tree.")
@click.option("--project", default="", help="The Compose project's name, as `docker compose -p` has it.")
@click.option("--service", "named", multiple=True, help="A Compose service without a build that is yours too.")
@click.option("--output", default="", help="Where it is written; - is standard output.")
@click.option("--force", is_flag=True, help="Also where one is: that becomes FILE.bak.")
@json_option
@click.pass_obj
def init(
    session: Session,
    compose: Path | None,
    repo: str,
    project: str,
    named: tuple[str, ...],
    output: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write the smallest configuration that works, or what a Compose file says. Starts nothing."""
    path = Path(output).expanduser().absolute() if output not in {"", STDOUT} else session.own_paths.config
    here = compose.expanduser().absolute().parent if compose else Path.cwd()
    tree, said = _work_tree(here, repo)
    made = _carried(compose, tree, path.parent, project, named) if compose else _smallest(here, tree)
    kept: list[Path] = []
    if output == STDOUT:
        said += [
            f"{each} was not written; the configuration names it, with {_secrets(made, each)}." for each in made.secrets
        ]
    else:
        kept = place({**_env_files(made), path: made.text}, force=force)
    for line in (*said, *made.said):
        tell(line)
    if as_json:
        text = {"config": made.text} if output == STDOUT else {"path": str(path)}
        files = [str(each) for each in made.secrets]
        document(
            {
                **text,
                "services": made.services,
                "env_files": files,
                "left": made.left,
                "stays": made.stays,
                "wanting": made.wanting,
            }
        )
    elif output == STDOUT:
        say(made.text.rstrip("\n"))
    else:
        say(*map(part, _next(path, made, kept, chosen=path != session.own_paths.config)))


def _work_tree(here: Path, repo: str) -> tuple[WorkTree, list[str]]:
    """Raises UsageError, and SourceError for an address that git would not be given."""
    from cockpit.source.address import address

    tree = WorkTree(root(here) or here, repo) if repo else work_tree(here)
    url = without_password(tree.url)
    address(url)
    hidden = "The repository's address had a user or password in it, which was left out: git has helpers for those."
    return WorkTree(tree.root, url), [hidden] if url != tree.url else []


def _smallest(here: Path, tree: WorkTree) -> Made:
    """The directory is the service, and its Dockerfile knows the port."""
    from cockpit.config.compose.convert import smallest
    from cockpit.config.compose.dockerfile import exposed

    port = exposed(here / "Dockerfile")
    name, text = smallest(here, tree.root, tree.url, port)
    said = [f"{found} lies here as well: `cockpit init --compose {found}` carries it over." for found in _compose(here)]
    if not (here / "Dockerfile").exists():
        said.append("There is no Dockerfile here yet; the image is built from it.")
    said.append("The application has to answer GET /up with 2xx (or another path: healthcheck.path).")
    return Made(text, (name,), said)


def _carried(compose: Path, tree: WorkTree, directory: Path, project: str, named: tuple[str, ...]) -> Made:
    from cockpit.config.compose.building import Repository
    from cockpit.config.compose.convert import convert, staying, together

    found = convert(compose, Repository(tree.url, tree.root), directory, name=project, named=named)
    said = [f"Stays with Compose: {each}" for each in staying(found.stays)]
    said += [f"Not carried over: {each}" for each in together(found.left)]
    said += [f"{each} has no port yet, and nobody reaches it: write the port into the file." for each in found.wanting]
    return Made(found.text, found.services, said, found.files, found.left, found.stays, found.wanting)


def _env_files(made: Made) -> dict[Path, str]:
    from cockpit.config.compose.dotenv import env_text

    return {path: env_text(values) for path, values in made.secrets.items()}


def _compose(here: Path) -> list[str]:
    return [name for name in COMPOSE if (here / name).exists()][:1]


def _secrets(made: Made, path: Path) -> str:
    count = len(made.secrets[path])
    return f"{count} secret{'s' if count > 1 else ''}"


def _next(path: Path, made: Made, kept: list[Path], *, chosen: bool) -> list[str]:
    lines = [f"✔ {path}: {', '.join(made.services)}"]
    lines += [f"  {each}: {_secrets(made, each)}, readable for you alone" for each in made.secrets]
    lines += [f"  {each} is what was there before" for each in kept]
    command = f"cockpit --config {path}" if chosen else "cockpit"
    lines += [
        "Next",
        f"  {command} config check",
        f"  {command}",
        "  docs/adopt.md has the way from here to the first switch",
    ]
    return lines
