"""The group that all verbs hang on, and the options they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cockpit import __version__
from cockpit.cli.session import Session
from cockpit.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(click.Group):
    """Verbs are listed in the order of their files; an unknown one gets "did you mean"."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.commands, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"{ctx.command_path} --help lists them"
            raise UsageError(f"There is no verb {args[0]!r}", hint)
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file (or $COCKPIT_CONFIG).")
@click.option("--state", type=click.Path(path_type=Path), help="The engine's state directory (or $COCKPIT_STATE).")
@click.option("--read-only", is_flag=True, help="Only look: the engine itself refuses whatever would change something.")
@click.version_option(__version__, message="cockpit %(version)s")
@click.pass_context
def cockpit(context: click.Context, config: Path | None, state: Path | None, read_only: bool) -> int | None:
    """Deploy and roll back services that run on Docker. Without a verb: the full-screen cockpit."""
    context.obj = Session(config, state, read_only)
    return None if context.invoked_subcommand else _full_screen(context.obj)


def _full_screen(session: Session) -> int:
    from cockpit.cli.fullscreen import show

    return show(session)


def json_option(verb: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document; JSON lines when following.")(verb)


def placement_arguments(verb: F) -> F:
    return click.argument("service")(click.argument("environment", required=False)(verb))
