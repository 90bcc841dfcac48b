"""What the end of a process says: exit codes in words, for someone who has never seen the host."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.model import Side


@dataclass(frozen=True, slots=True)
class Exit:
    side: Side
    means: str
    next: str


OUT_OF_MEMORY = Exit(
    Side.CONFIGURATION,
    "the kernel killed it because it needed more memory than it may use",
    "compare limits.memory with what the last release used; raise it, or find what grew",
)
_LOG = "read the last lines of its log"
_CODES = {
    0: Exit(
        Side.CONFIGURATION,
        "the process ended by itself without an error: it went into the background, or did one task and was done",
        "let the command run its server in the foreground",
    ),
    2: Exit(Side.APPLICATION, "the program refused its arguments, or failed early", f"check `command`; {_LOG}"),
    125: Exit(Side.INFRASTRUCTURE, "Docker itself could not run it", "check the Docker engine's own log"),
    126: Exit(
        Side.APPLICATION,
        "the command was found but may not be executed, or is for another processor",
        "set its execute permission in the Dockerfile; build for this host's architecture",
    ),
    127: Exit(
        Side.APPLICATION,
        "the command does not exist in the image, or its interpreter does not",
        "check CMD, ENTRYPOINT and `command` against the image's last stage",
    ),
    132: Exit(
        Side.APPLICATION, "it used an instruction that this host's processor lacks", "build for this host's processor"
    ),
    134: Exit(Side.APPLICATION, "it aborted itself (SIGABRT)", _LOG),
    137: Exit(
        Side.INFRASTRUCTURE,
        "it was killed (SIGKILL), and not by its own memory limit: the host ran out of memory, or someone killed it",
        "check the host's free memory and its kernel log",
    ),
    139: Exit(
        Side.APPLICATION,
        "it crashed on an invalid memory access (SIGSEGV): often a native library for another libc or processor",
        "compare the base image and native dependencies with those of the last good release",
    ),
    143: Exit(Side.INFRASTRUCTURE, "it was told to stop (SIGTERM) from outside", "find out who stopped the container"),
}


def explain(code: int) -> Exit:
    if code in _CODES:
        return _CODES[code]
    if code > 128:
        return Exit(Side.APPLICATION, f"signal {code - 128} ended it", _LOG)
    return Exit(Side.APPLICATION, "the program ended itself with an error while it started", _LOG)
