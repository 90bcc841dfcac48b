"""Which processes a service has in one environment, and which of the keys that are said there hold for each."""

from __future__ import annotations

from cockpit.config.problems import At
from cockpit.config.settings import Process
from cockpit.config.shapes import Values

WEB = "web"  # the only process of a service that names none
WEB_PORT = 8000
MERGED = ("environment", "secrets", "labels", "limits")  # what is said later adds to these; it replaces the rest
# Said beside `processes`, these are those of WEB; everything else is every process's.
OF_WEB = ("port", "hosts", "aliases", "replicas", "command", "entrypoint", "healthcheck", "depends_on")


def merged(service: Values, overrides: Values) -> Values:
    """The keys of the service itself, with its processes as they are in one environment."""
    names = service.get("processes") or {WEB: {}}
    own = {
        key: value
        for key, value in {**service, **overrides}.items()
        if key not in Process.model_fields and key not in {"processes", "environments"}
    }
    return {**own, "processes": {name: _process(name, service, overrides) for name in names}}


def written(root: At, environment: str, at: At) -> tuple[At, ...]:
    """Where a value of `merged` may have been written, what wins first."""
    override = (*root, "environments", environment)
    match at:
        case ("processes", name, option, *_):
            shared = (at[2:],) if name == WEB or option not in OF_WEB else ()
            return tuple((*level, *key) for level in (override, root) for key in (at, *shared))
        case _:
            return ((*override, *at), (*root, *at))


def _process(name: str, service: Values, overrides: Values) -> Values:
    """What is said of a process wins over what is said of all, and an environment's word over the service's."""
    whole: Values = {"port": WEB_PORT} if name == WEB else {}
    for level in (service, overrides):
        for said in (_of_all(name, level), (level.get("processes") or {}).get(name, {})):
            both = {key: {**whole[key], **said[key]} for key in MERGED if key in whole and key in said}
            whole = {**whole, **said, **both}
    return whole


def _of_all(name: str, level: Values) -> Values:
    return {
        key: value for key, value in level.items() if key in Process.model_fields and (name == WEB or key not in OF_WEB)
    }
