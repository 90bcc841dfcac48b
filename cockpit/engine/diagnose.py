"""The telling line of a log, and whose problem it is. A small table: the first pattern that fits, wins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cockpit.model import Failure, Side
from cockpit.text import clean_log, plain


@dataclass(frozen=True, slots=True)
class Sign:
    pattern: re.Pattern[str]
    side: Side
    means: str
    next: str


def _sign(pattern: str, side: Side, means: str, next: str) -> Sign:
    return Sign(re.compile(pattern), side, means, next)


SIGNS = (
    _sign(
        r"(ModuleNotFoundError|ImportError: cannot import|Cannot find module|LoadError|ClassNotFoundException)",
        Side.APPLICATION,
        "the image lacks a package that the code imports",
        "add it to the lock file; deploying again without a change will fail the same way",
    ),
    _sign(
        r"(KeyError: '[A-Z][A-Z0-9_]+'|[Mm]issing (required )?environment"
        r"|[A-Z][A-Z0-9_]{2,} (is )?(not set|is required|must be set))",
        Side.CONFIGURATION,
        "a name that the code reads is not set in this environment",
        "set it under `environment` or `secrets` of this environment, then deploy again",
    ),
    _sign(
        r"([Aa]ddress already in use|EADDRINUSE)",
        Side.APPLICATION,
        "two processes in the container want the same port",
        "look at the command: something listens twice",
    ),
    _sign(
        r"(exec format error|no such file or directory.*exec|exec: .* not found)",
        Side.BUILD,
        "the image's command cannot be run on this host",
        "check `command`, the entry point and the architecture of the image",
    ),
    _sign(
        r"([Pp]assword authentication failed|Access denied for user|401 Unauthorized)",
        Side.CONFIGURATION,
        "a credential is wrong in this environment",
        "compare the secret with the one that works",
    ),
    _sign(
        r"(could not translate host name|Name or service not known|getaddrinfo|ENOTFOUND|no such host)",
        Side.CONFIGURATION,
        "a name that the application calls does not resolve here",
        "check host names in the environment and the container's networks",
    ),
    _sign(
        r"([Cc]onnection refused|ECONNREFUSED|[Cc]onnection timed out|ETIMEDOUT)",
        Side.INFRASTRUCTURE,
        "something that the application needs does not answer",
        "check the database or service it calls before deploying again",
    ),
    _sign(
        r"(No space left on device|ENOSPC)",
        Side.INFRASTRUCTURE,
        "the disk is full",
        "free space on the host, then deploy again",
    ),
    _sign(
        r"([Oo]ut of memory|OutOfMemoryError|Cannot allocate memory)",
        Side.APPLICATION,
        "the process wants more memory than it may have",
        "raise `limits.memory`, or find what grew",
    ),
)
_ERROR = re.compile(
    r"(Error\b|Exception\b|\bpanic\b|\b(FATAL|fatal|ERROR|error)\b|[Tt]raceback|refused|denied|not found|failed)"
)
_EXCEPTION = re.compile(r"^[A-Za-z_.]*(Error|Exception|Exit|Interrupt)\b")


def telling_line(lines: Sequence[str]) -> str:
    """The line that says most: a known sign, else an exception's own line, else the last error, else the last line."""
    cleaned = [plain(clean_log(line)).strip() for line in lines]
    cleaned = [line for line in cleaned if line]
    for known in (lambda line: sign(line) is not None, _EXCEPTION.search, _ERROR.search):
        found = next((line for line in reversed(cleaned) if known(line)), None)
        if found:
            return found
    return cleaned[-1] if cleaned else ""


def sign(line: str) -> Sign | None:
    return next((each for each in SIGNS if each.pattern.search(line)), None)


def explain(failure: Failure, lines: Sequence[str]) -> Failure:
    """`failure` with what its log tells. A cause that was seen from outside (memory, a listener) stays the cause."""
    line = telling_line(lines)
    known = sign(line)
    if known is None or failure.side is not Side.APPLICATION:
        return Failure(failure.step, failure.side, failure.summary, line or failure.line, failure.means, failure.next)
    return Failure(failure.step, known.side, failure.summary, line, known.means, known.next)
