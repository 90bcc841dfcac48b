"""From what the file says to `Settings`: overrides applied, bounds checked, every problem told its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cockpit.config.kinds import MISSING, Place, Reading, shown
from cockpit.config.problems import At, Mark, did_you_mean, quoted
from cockpit.config.processes import merged, written
from cockpit.config.settings import Environment, PlacementSettings, Section, Service, Settings
from cockpit.model import PlacementKey

IMPLIED = {"production": {"protected": True}}  # when the file names no environment

S = TypeVar("S", bound=Section)
Locate = Callable[[At], tuple[At, ...]]  # where a value may have been written, likeliest first


def settings(values: dict[str, Any], path: str, into: Reading) -> Settings | None:
    """What `form.ROOT` read, put together; None when there are problems."""
    values = present(values)
    services, declared = values.pop("services", {}), values.pop("environments", IMPLIED)
    for key, given in (("services", services), ("environments", declared)):
        if not given and not into.problems:
            into.wrong_name((key,), f"expected at least one of {key}, got none")
    environments = {
        name: _validated(Environment, each, into, _below("environments", name)) for name, each in declared.items()
    }
    placements = [
        _placement(name, service, environment, environments[environment], into)
        for name, service in services.items()
        for environment in _where(name, service, declared, into)
    ]
    for name, service in services.items() if into.problems else ():
        _validated(Service, merged(service, {}), into, _locate(name, ""))  # also where it is deployed nowhere
    whole = {**values, "environments": {}, "placements": (), "path": path}
    rest = _validated(Settings, whole, into, lambda at: (at,))
    if rest is None or into.problems:
        return None
    return rest.model_copy(update={"environments": environments, "placements": tuple(placements)})


def present(values: Any) -> Any:
    """Without what could not be read."""
    if isinstance(values, dict):
        return {key: present(each) for key, each in values.items() if each is not MISSING}
    if isinstance(values, tuple):
        return tuple(present(each) for each in values if each is not MISSING)
    return values


def _where(name: str, service: dict[str, Any], declared: dict[str, Any], into: Reading) -> list[str]:
    """The environments of a service in the order in which they were declared."""
    wanted = service.get("environments", declared)
    for environment in wanted:
        if environment not in declared:
            text = f"no environment is called {quoted(environment)}{did_you_mean(environment, declared)}"
            into.wrong_name(("services", name, "environments", environment), text)
    if declared and not wanted:
        into.wrong_name(("services", name, "environments"), "expected at least one environment, got none")
    return [environment for environment in declared if environment in wanted]


def _placement(
    name: str, service: dict[str, Any], environment: str, where: Environment | None, into: Reading
) -> PlacementSettings | None:
    overrides = service.get("environments", {}).get(environment, {})
    values, locate = merged(service, overrides), _locate(name, environment)
    for process, options in values["processes"].items():
        for variable in sorted(set(options.get("environment", {})) & set(options.get("secrets", {}))):
            text = f"{quoted(variable)} is in environment and in secrets; keep one"
            candidates = locate(("processes", process, "secrets", variable))
            into.problems.add(_mark(candidates, into), text, ("services", name))
    valid = _validated(Service, values, into, locate)
    if valid is None or where is None:
        return None
    return PlacementSettings(key=PlacementKey(name, environment), environment=where, service=valid)


def _locate(service: str, environment: str) -> Locate:
    return lambda at: written(("services", service), environment, at)


def _below(*root: str) -> Locate:
    return lambda at: ((*root, *at),)


def _validated(model: type[S], values: dict[str, Any], into: Reading, locate: Locate) -> S | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if each["type"] != "missing":  # said where the table was read
                _say(each, locate(each["loc"]), into)
        return None


def _say(error: ErrorDetails, candidates: tuple[At, ...], into: Reading) -> None:
    at = next((at for at in candidates if at in into.places), candidates[-1])
    place = into.places.get(at)
    got = f", got {shown(place.node)}" if place else ""
    into.problems.add(_mark(candidates, into), f"{_bound(error, place)}{got}", at)


def _bound(error: ErrorDetails, place: Place | None) -> str:
    context = error.get("ctx", {})
    unit = place.unit if place else ""
    for name, words in (("ge", "at least"), ("le", "at most"), ("gt", "more than"), ("lt", "less than")):
        if name in context:
            return f"expected {words} {context[name]:.10g}{unit}"
    return f"expected something else: {error['msg']}"


def _mark(candidates: tuple[At, ...], into: Reading) -> Mark:
    """The innermost place that is known, of the likeliest candidate first."""
    for at in candidates:
        if at in into.places:
            return into.places[at].node.mark
    at = candidates[-1]
    while at and at not in into.places:
        at = at[:-1]
    return into.places[at].node.mark if at in into.places else Mark(1, 1)
