"""What a builder or a registry said when it failed, in words that tell the operator what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from cockpit.errors import BuildError
from cockpit.text import clean, clean_log

TAIL = 20  # lines kept of the step that failed

_STATUS = re.compile(r"exit code: (\d+)|returned a non-zero code: (\d+)")
_MEANING = {
    126: "its command cannot be executed: look at the file's mode and its first line",
    127: "its command is not in the image: look at its name and at PATH",
    137: "it was killed, nearly always for memory: give the build host more, or run less at once",
}
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_GONE = re.compile(
    r"Cannot connect to the Docker daemon|error during connect|failed to connect to the docker API|no active session"
    r"|closed unexpectedly|error reading from server|transport is closing|Connection aborted|connection reset"
    r"|did not provide an image ID",
    re.IGNORECASE,
)
_MISSING = (
    re.compile(r"(?:failed to compute cache key|failed to calculate checksum)[^\"]*\"([^\"]+)\": not found"),
    re.compile(r"^\"([^\"]+)\" not found: not found|^\"([^\"]+)\": not found"),
    re.compile(r"(?:COPY|ADD) failed: .*?stat ([^:]+): (?:file does not exist|no such file)"),
    re.compile(r"(?:COPY|ADD) failed: no source files were specified()"),
)
_BASE = re.compile(r"load metadata for (\S+)|\] FROM (?:--platform=\S+ )?(\S+)")
_HELPER = re.compile(r"error getting credentials.*", re.DOTALL)
_PARSE = re.compile(r"dockerfile parse error[^:]*?(?:on )?line (\d+): (.*)", re.IGNORECASE)
_TARGET = re.compile(r"target stage \S+ could not be found|failed to reach build target", re.IGNORECASE)


def failure(error: str, step: str, lines: Iterable[str]) -> BuildError:
    """`step` is the failed step's name, `lines` its own output; either may be empty."""
    tail = tuple(line for line in (clean_log(each, colour=False) for each in lines) if line.strip())[-TAIL:]
    message, hint = _explain(error, clean(step, 120), "\n".join(tail))
    return BuildError(message, hint, tail or tuple(filter(None, [clean(error, 1000)])))


def _explain(error: str, step: str, said: str) -> tuple[str, str]:
    if _FULL.search(error) or _FULL.search(said):
        return "no space left on the build host", "free some: `docker system df` says what Docker holds"
    if _GONE.search(error):
        return "Docker went away during the build", "check the daemon; nothing that is live was changed"
    if missing := next(filter(None, (pattern.search(error) for pattern in _MISSING)), None):
        name = clean(next(filter(None, missing.groups()), ""), 200) or "a file"
        return f"{step or 'COPY'}: {name} is not in the build context", "check its path, `context` and .dockerignore"
    if status := _STATUS.search(error):
        code = int(status[1] or status[2])
        return f"{step or 'a step'} ended with status {code}", _MEANING.get(code, "its last lines say why")
    if parse := _PARSE.search(error):
        return f"the Dockerfile cannot be read: line {parse[1]}: {clean(parse[2], 200)}", "correct the Dockerfile"
    if _TARGET.search(error):
        return f"the Dockerfile has no such stage: {clean(error, 200)}", "check `target` in the configuration"
    if helper := _HELPER.search(error):
        return f"Docker's credential helper failed: {clean(helper[0], 200)}", (
            "install it where the engine runs, log in again, or put the login under `registry`"
        )
    if (base := _BASE.search(step)) and (base[1] or base[2]):
        return f"the base image {base[1] or base[2]} is not on this host and was not got: {_last(error)}", (
            "check its name and that this host reaches its registry and may read from it"
        )
    return clean(error, 300) or "the build ended without an image", "the last lines of the build say more"


def unanswered(step: str, seconds: float) -> BuildError:
    base = _BASE.search(step)
    return BuildError(
        f"the base image {clean(base[1] if base else step, 200)}: no answer within {seconds:.0f} s",
        "check its registry, and that no credential helper of Docker's config.json waits for someone to type",
    )


def missing(what: str, path: str, hint: str) -> BuildError:
    return BuildError(f"{what} {clean(path, 200)} does not exist in this commit", hint)


def daemon(said: str) -> BuildError:
    """Docker did not answer, or refused what was asked."""
    text = clean(said, 300)
    if "Permission denied" in text:
        return BuildError("this user may not use Docker's socket", "add the engine's user to the docker group", (text,))
    if _FULL.search(text):
        return BuildError("no space left on the build host", "free some: `docker system df` says what Docker holds")
    if re.search(r"No such file|refused|FileNotFound|timed out|Connection|fetching server API", text):
        return BuildError("Docker does not answer", "check the daemon and the environment's `host`", (text,))
    return BuildError(f"Docker refused: {text}", "the daemon's own log says more", (text,))


# ---------------------------------------------------------------- registries


@dataclass(frozen=True, slots=True)
class Doing:
    """What was asked of a registry, as far as the words for its refusal depend on it."""

    what: str
    denied: str
    missing: str
    full: str
    again: str


PUSH = Doing(
    "a push",
    "give the login the right to push, or create the repository",
    "create the repository; this registry does not make one by itself",
    "the registry has no space left",
    "the image is built and a new deploy only pushes it again",
)
PULL = Doing(
    "a pull",
    "give the login the right to pull from this repository",
    "it may have been deleted there: have CI push it again",
    "no space left on the Docker host",
    "nothing that is live was changed; deploy again",
)
ASK = replace(PULL, what="reading", again="nothing was changed; ask again")

_OTHER_MACHINE = "have CI build it for this platform too: docker buildx build --platform"
_WANTS_LOGIN = "put one under `registry` in the configuration, or `docker login` as the engine's user"


def _status(number: int) -> str:
    """In an answer, and neither a port nor a part of an address."""
    return rf"(?<![:.\w]){number}\b"


_REFUSED = re.compile(
    rf"unauthorized|no basic auth|authentication required|authorization failed|{_status(401)}", re.IGNORECASE
)
_DENIED = re.compile(rf"denied|insufficient_scope|{_status(403)}", re.IGNORECASE)
_REGISTRY: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, re.IGNORECASE), message, hint)
    for pattern, message, hint in (
        (rf"too ?many ?requests|{_status(429)}", "{at} asks to slow down", "wait some minutes, or give it a login"),
        (
            _REFUSED,
            "{at} refused the login",
            "check `registry` in the configuration: user name, password, and that the token is still valid",
        ),
        (_DENIED, "{at} does not allow {what}", "{denied}"),
        (
            r"server gave HTTP response to HTTPS client",
            "{at} speaks no TLS",
            "put TLS in front of it; only registries on loopback may do without",
        ),
        (r"x509|certificate", "{at}: its certificate is not trusted", "install its authority's certificate in Docker"),
        (r"no match(?:ing manifest)? for", "the image is not made for this host's platform", _OTHER_MACHINE),
        (r"(?:manifest|name) unknown", "{at} has no such image", "{missing}"),
        (
            r"HTTP status: 5\d\d|: 5\d\d |Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out",
            "{at} answered with a server error",
            "look at the registry; {again}",
        ),
        (
            r"connection refused|no such host|i/o timeout|no route to host|unreachable|Client.Timeout|TLS handshake",
            "{at} cannot be reached from the Docker host",
            "check its address and the network; {again}",
        ),
        (
            r"EOF|reset by peer|broken pipe|closed network connection|ended early",
            "{at} cut the connection",
            "{again}: what has arrived is not sent twice",
        ),
        (_FULL, "{full}", "free some there"),
        (
            r"error parsing HTTP|error unmarshalling|missing signature key|invalid character|redirects",
            "what answers at {at} is no registry",
            "check its address: a login page or a proxy may answer in its place",
        ),
    )
)


def registry(error: str, at: str, doing: Doing, *, anonymous: bool = False) -> BuildError:
    line = clean(error, 500)
    for pattern, message, hint in _REGISTRY:
        if not pattern.search(error):
            continue
        if anonymous and pattern in (_REFUSED, _DENIED):
            return BuildError(f"{at} wants a login, or has no such repository", _WANTS_LOGIN, (line,))
        words = asdict(doing) | {"at": at}
        return BuildError(message.format(**words), hint.format(**words), (line,))
    return BuildError(f"{at} failed at {doing.what}: {_last(error)}", "the registry's own log says more", (line,))


def silent(at: str, seconds: float) -> BuildError:
    return BuildError(
        f"{at} gave no answer within {seconds:.0f} s", "check that it runs, and the network between it and Docker"
    )


def other_machine(image: str, host: str) -> BuildError:
    return BuildError(f"the image is for {clean(image, 40)}, this host is {clean(host, 40)}", _OTHER_MACHINE)


def _last(error: str) -> str:
    """The innermost of "this: because of that: because of this"."""
    return clean(error, 500).rsplit(": ", 2)[-1][:200]
