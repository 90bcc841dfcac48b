"""The error tree. Every error says what is wrong and what the operator does next.

CockpitError
├── ConfigError          the configuration cannot be used (exit status 2)
├── UsageError           the request makes no sense: no such service, release, commit (exit status 2)
├── Refused              a rule says no: held, busy, stale sheet, protected (exit status 3)
│   └── Fenced           another engine has taken the placement over: nothing more is done here
├── EngineUnreachable    no engine answers, or it speaks another protocol (exit status 4)
├── Failed               a step of an operation failed; carries a Failure (exit status 1)
├── SourceError          git: unreachable, no such commit, no such branch
├── BuildError           the image could not be built or pushed
├── TargetError          Docker refused or failed
│   └── TargetDown       Docker does not answer at all
├── EdgeError            the edge could not be changed or read
├── LineDown             no ssh connection to a Docker host; what runs there runs on
└── StoreError           the release log cannot be read or written
    └── StoreRejected    it can be, and this one thing makes no sense to it: trying again will not help

Foreign errors are mapped to these where they enter, in the one room that imports their library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from cockpit.model import Failure


class CockpitError(Exception):
    """`message` says what is wrong, `hint` what to do next; both are plain text, safe to show."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(CockpitError):
    code = "config"
    exit_status = 2


class UsageError(CockpitError):
    code = "usage"
    exit_status = 2


class Refused(CockpitError):
    code = "refused"
    exit_status = 3


class Fenced(Refused):
    code = "fenced"


class EngineUnreachable(CockpitError):
    code = "engine"
    exit_status = 4


class Failed(CockpitError):
    """A step ended badly, and `failure` says why to someone who has never seen the host."""

    code = "failed"

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.summary, failure.next)
        self.failure = failure


class SourceError(CockpitError):
    code = "source"


class BuildError(CockpitError):
    """`log_tail` is the last telling lines of the build's own output, oldest first."""

    code = "build"

    def __init__(self, message: str, hint: str = "", log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.log_tail = log_tail


class TargetError(CockpitError):
    code = "target"


class TargetDown(TargetError):
    code = "target_down"


class EdgeError(CockpitError):
    code = "edge"


class LineDown(CockpitError):
    code = "line_down"


class StoreError(CockpitError):
    code = "store"


class StoreRejected(StoreError):
    code = "store_rejected"
