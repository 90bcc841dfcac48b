"""From what the file says to `Settings`: overrides applied, bounds checked, every problem told its place."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cockpit.config import rules
from cockpit.config.base import MISSING, Place, Reading, shown
from cockpit.config.extent import MOST, extent
from cockpit.config.problems import At, quoted
from cockpit.config.processes import merged, written
from cockpit.config.rules import Locate
from cockpit.config.settings import EdgeProgram, Environment, PlacementSettings, Section, Service, Settings
from cockpit.config.shapes import Values
from cockpit.model import PlacementKey

IMPLIED = {"production": {"protected": True}}  # when the file names no environment

S = TypeVar("S", bound=Section)


def settings(values: Values, path: str, into: Reading) -> Settings | None:
    """What `form.ROOT` read, put together; None when there are problems."""
    values = present(values)
    services, declared = values.pop("services", {}), values.pop("environments", IMPLIED)
    for key, given in (("services", services), ("environments", declared)):
        if not given and not into.problems:
            into.wrong_name((key,), f"expected at least one of {key}, got none")
    edge = values.pop("edge", {})
    if extent(services, declared, edge) > MOST:
        into.wrong_name(("services",), f"expected at most {MOST} values, counted for each environment and process")
        return None
    program = {key: edge.pop(key) for key in EdgeProgram.model_fields if key in edge}
    environments = {name: _environment(name, over({"edge": edge}, each), into) for name, each in declared.items()}
    for name, service in services.items():
        rules.of_service(name, service, into)
    placements = _placements(services, environments, into)
    for name, service in services.items() if into.problems else ():
        _validated(Service, merged(service, {}), into, _locate(name, ""))  # also where it is deployed nowhere
    whole = {**values, "edge": program, "environments": {}, "placements": (), "path": path}
    rest = _validated(Settings, whole, into, lambda at: (at,))
    if rest is None or into.problems:
        return None
    return rest.model_copy(update={"environments": environments, "placements": placements})


def present(values: Any) -> Any:
    """Without what could not be read."""
    if isinstance(values, dict):
        return {key: present(each) for key, each in values.items() if each is not MISSING}
    if isinstance(values, tuple):
        return tuple(present(each) for each in values if each is not MISSING)
    return values


def over(base: Any, wins: Any) -> Any:
    """Maps key by key, whatever else as the second says it."""
    if not (isinstance(base, dict) and isinstance(wins, dict)):
        return wins
    return {**base, **{key: over(base[key], value) if key in base else value for key, value in wins.items()}}


def _environment(name: str, values: Values, into: Reading) -> Environment | None:
    def locate(at: At) -> tuple[At, ...]:
        own = ("environments", name, *at)
        return (own, at) if at[:1] == ("edge",) else (own,)

    valid = _validated(Environment, values, into, locate)
    if valid is not None:
        rules.of_environment(valid, locate, into)
    return valid


def _placements(
    services: Values, environments: dict[str, Environment | None], into: Reading
) -> tuple[PlacementSettings, ...]:
    ranks = {name: rank for rank, name in enumerate(environments)}
    found = [
        _placement(name, service, environment, environments[environment], into)
        for name, service in services.items()
        for environment in _where(name, service, ranks, into)
    ]
    return tuple(each for each in found if each is not None)


def _where(name: str, service: Values, declared: dict[str, int], into: Reading) -> list[str]:
    """The environments of a service in the order in which they were declared."""
    wanted = service.get("environments", declared)
    for environment in wanted:
        if environment not in declared:
            text = f"no environment is called {quoted(environment)}{into.near(environment, declared)}"
            into.wrong_name(("services", name, "environments", environment), text)
    if declared and not wanted:
        into.wrong_name(("services", name, "environments"), "expected at least one environment, got none")
    return sorted((environment for environment in wanted if environment in declared), key=declared.__getitem__)


def _placement(
    name: str, service: Values, environment: str, where: Environment | None, into: Reading
) -> PlacementSettings | None:
    overrides = service.get("environments", {}).get(environment, {})
    values, locate = merged(service, overrides), _locate(name, environment)
    valid = _validated(Service, values, into, locate)
    if valid is None or where is None:
        return None
    placement = PlacementSettings(key=PlacementKey(name, environment), environment=where, service=valid)
    rules.of_placement(placement, locate, into)
    return placement


def _locate(service: str, environment: str) -> Locate:
    return lambda at: written(("services", service), environment, at)


def _validated(model: type[S], values: Values, into: Reading, locate: Locate) -> S | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if each["type"] != "missing":  # said where the table was read
                _say(each, locate(each["loc"]), into)
        return None


def _say(error: ErrorDetails, candidates: tuple[At, ...], into: Reading) -> None:
    place = into.places.get(into.written(candidates))
    got = f", got {shown(place.node)}" if place else ""
    into.wrong_where(candidates, f"{_bound(error, place)}{got}")


def _bound(error: ErrorDetails, place: Place | None) -> str:
    context = error.get("ctx", {})
    unit = place.unit if place else ""
    for name, words in (("ge", "at least"), ("le", "at most"), ("gt", "more than"), ("lt", "less than")):
        if name in context:
            return f"expected {words} {context[name]:.10g}{unit}"
    return f"expected something else: {error['msg']}"
