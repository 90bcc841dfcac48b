"""The `cockpit` command. Exit statuses (docs/cli.md): 0 done, 1 failed and the old release serves, 2 usage or
configuration, 3 held or refused, 4 engine unreachable, 130 detached."""

from __future__ import annotations

import sys

DETACHED = 130


def main() -> None:
    if sys.argv[1:] == ["--version"]:  # scripts ask this often: nothing else is loaded for it
        from cockpit import __version__

        print(f"cockpit {__version__}")
        return
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Every way out of a verb becomes one sentence and an exit status."""
    from cockpit.cli.output import quiet_pipe, tell
    from cockpit.errors import CockpitError

    try:
        status = _verb(arguments) if arguments else _full_screen()
        sys.stdout.flush()
    except CockpitError as error:
        tell(error.message, error.hint)
        return error.exit_status
    except KeyboardInterrupt:
        return DETACHED
    except BrokenPipeError:
        quiet_pipe()
        return 0
    except Exception as error:  # a process edge: a bug is one sentence, not a traceback
        bug = f"Internal error: {type(error).__name__}: {error}"
        tell(bug, "This is a bug in cockpit. What was asked may have been done all the same: cockpit status")
        return 1
    return status


def _verb(arguments: list[str]) -> int:
    import click

    from cockpit.cli.verbs import cockpit

    try:
        status = cockpit.main(arguments, prog_name="cockpit", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return DETACHED
    return status if isinstance(status, int) else 0


def _full_screen() -> int:
    """Without click and the verbs: at 3 am it is this that has to be there at once."""
    import gc

    gc.disable()  # looking through all that is being imported takes a tenth of the time to the first frame
    from cockpit.cli.fullscreen import show
    from cockpit.cli.session import Session

    return show(Session())


if __name__ == "__main__":
    main()
