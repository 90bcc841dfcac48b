"""config.example.yaml is the reference: it decodes, and it has every key with a comment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from cockpit.config.form import BUILD, ENVIRONMENT, HEALTHCHECK, LIMITS, PROCESS, REGISTRY, ROOT, SECRET, SERVICE
from cockpit.config.kinds import Duration, OrNull
from cockpit.config.problems import Problems, dotted
from cockpit.config.settings import (
    BuildSettings,
    EdgeImage,
    EdgeListen,
    Environment,
    Healthcheck,
    Limits,
    Network,
    Process,
    Registry,
    Secret,
    Service,
    Settings,
)
from cockpit.config.shapes import Short, Table
from cockpit.config.tree import Listing, Mapping, Node, parse
from tests.config.reading import read

TEXT = (Path(__file__).parents[2] / "config.example.yaml").read_text()
ROOT_NODE = parse(TEXT, Problems("config.example.yaml"))

# Where the example shows a model, and the fields that come from elsewhere than a key of the same name.
NONE: frozenset[str] = frozenset()
SHOWN: list[tuple[str, type[BaseModel], frozenset[str]]] = [
    ("", Settings, frozenset({"placements", "path"})),
    ("environments.staging", Environment, NONE),
    ("environments.staging.edge", EdgeListen, NONE),
    ("services.web", Service, NONE),
    ("services.web", Process, NONE),
    ("services.web.build", BuildSettings, NONE),
    ("services.web.limits", Limits, NONE),
    ("services.web.healthcheck", Healthcheck, NONE),
    ("network", Network, NONE),
    ("edge", EdgeImage, NONE),
    ("registries[0]", Registry, NONE),
]
TABLES = ((ROOT, Settings), (ENVIRONMENT, Environment), (SERVICE, Service), (BUILD, BuildSettings), (LIMITS, Limits))
MORE_TABLES = ((PROCESS, Process), (HEALTHCHECK, Healthcheck), (REGISTRY, Registry), (SECRET, Secret))
DEFAULTS = {name: field.default for model in (Process, Service) for name, field in model.model_fields.items()}


def tables(table: Table) -> Iterator[Table]:
    yield table
    for key in table.keys.values():
        kind = key.kind.table if isinstance(key.kind, Short) else key.kind
        if isinstance(kind, Table):
            yield from tables(kind)


def nodes(node: Node, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Node]]:
    yield dotted(at), node
    if isinstance(node, Mapping):
        for key, value in node.entries:
            yield from nodes(value, (*at, key.text))
    if isinstance(node, Listing):
        for index, value in enumerate(node.items):
            yield from nodes(value, (*at, index))


def keys_at(place: str) -> set[str]:
    assert ROOT_NODE is not None
    node = dict(nodes(ROOT_NODE))[place]
    assert isinstance(node, Mapping)
    return {key.text for key, _ in node.entries}


def test_the_example_is_a_configuration() -> None:
    assert [str(each.key) for each in read(TEXT).placements] == ["web/staging", "web/production", "mailer/production"]


@pytest.mark.parametrize(("place", "model", "elsewhere"), SHOWN)
def test_the_example_has_every_key_of_every_model(
    place: str, model: type[BaseModel], elsewhere: frozenset[str]
) -> None:
    assert set(model.model_fields) - elsewhere - keys_at(place) == set()


def test_the_example_shows_every_source_of_a_secret() -> None:
    assert ROOT_NODE is not None
    shown = {place.rpartition(".")[2] for place, _ in nodes(ROOT_NODE) if place.startswith("services.web.secrets.")}
    assert set(Secret.model_fields) <= shown


@pytest.mark.parametrize(("table", "model"), TABLES + MORE_TABLES)
def test_the_form_knows_every_field_of_its_model_and_describes_it(table: Table, model: type[BaseModel]) -> None:
    elsewhere = SHOWN[0][2] if model is Settings else NONE
    assert set(model.model_fields) - elsewhere - set(table.keys) == set()
    assert all(key.about.endswith(".") for each in tables(table) for key in each.keys.values())


def test_every_key_of_a_service_has_a_comment() -> None:
    web = TEXT.partition("\n  web:\n")[2].partition("\n\n")[0]
    keys = [line for line in web.splitlines() if line[4] != " "]
    assert len(keys) == len(SERVICE.keys)
    assert [line for line in keys if "#" not in line] == []


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        (name, DEFAULTS[name])
        for name, key in SERVICE.keys.items()
        if isinstance(key.kind.kind if isinstance(key.kind, OrNull) else key.kind, Duration)
        and DEFAULTS[name] is not None
    ],
)
def test_the_default_that_a_comment_names_is_the_default(name: str, seconds: float) -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith(f"    {name}:"))
    written = line.rpartition("default ")[2]
    (placement,) = read(f"services: {{web: {{repo: r, {name}: {written}}}}}").placements
    service = placement.service.model_dump()
    assert {**service, **service["processes"]["web"]}[name] == seconds
