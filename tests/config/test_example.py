"""config.example.yaml is the reference: it decodes, and it has every key with a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from cockpit.config import edges, options
from cockpit.config.amounts import Duration
from cockpit.config.edges import CERTIFICATE, ENVIRONMENT, ROOT_EDGE, TLS
from cockpit.config.form import BUILD, MIGRATE, PROCESS, REGISTRY, ROLES, ROOT, SERVICE
from cockpit.config.kinds import OrNull
from cockpit.config.lists import Members
from cockpit.config.options import ENV_FILE, HEALTHCHECK, LOGGING, SECRET, ULIMITS
from cockpit.config.problems import Problems, dotted
from cockpit.config.settings import (
    BuildSettings,
    Certificate,
    Edge,
    EdgeLimits,
    EdgeProgram,
    EnvFile,
    Environment,
    Healthcheck,
    Limits,
    Logging,
    Migrate,
    Network,
    Process,
    Registry,
    Roles,
    Secret,
    Service,
    Settings,
    Tls,
    Ulimit,
)
from cockpit.config.shapes import Many, Named, Short, Table
from cockpit.config.spellings import OTHERS
from cockpit.config.tree import Listing, Mapping, Node, parse
from tests.config.reading import read

TEXT = (Path(__file__).parents[2] / "config.example.yaml").read_text()
ROOT_NODE = parse(TEXT, Problems("config.example.yaml"))

# Where the example shows a model, and the fields that come from elsewhere than a key of the same name.
NONE: frozenset[str] = frozenset()
SHOWN: list[tuple[str, type[BaseModel], frozenset[str]]] = [
    ("", Settings, frozenset({"placements", "path"})),
    ("environments.staging", Environment, NONE),
    ("edge", Edge, NONE),
    ("edge", EdgeProgram, NONE),
    ("edge.limits", EdgeLimits, NONE),
    ("environments.production.edge.tls", Tls, NONE),
    ("environments.production.edge.tls.certificates[0]", Certificate, NONE),
    ("services.web", Service, NONE),
    ("services.web", Process, NONE),
    ("services.web.build", BuildSettings, NONE),
    ("services.web.migrate", Migrate, NONE),
    ("services.web.env_file[1]", EnvFile, NONE),
    ("services.web.limits", Limits, NONE),
    ("services.web.ulimits.nofile", Ulimit, NONE),
    ("services.web.healthcheck", Healthcheck, NONE),
    ("services.web.logging", Logging, NONE),
    ("network", Network, NONE),
    ("roles", Roles, NONE),
    ("registry", Registry, NONE),
]
TABLES = [
    (ROOT, Settings),
    (ENVIRONMENT, Environment),
    (ROOT_EDGE, Edge),
    (ROOT_EDGE, EdgeProgram),
    (edges.LIMITS, EdgeLimits),
    (TLS, Tls),
    (CERTIFICATE, Certificate),
    (SERVICE, Service),
    (SERVICE, Process),
    (PROCESS, Process),
    (BUILD, BuildSettings),
    (MIGRATE, Migrate),
    (ENV_FILE, EnvFile),
    (options.LIMITS, Limits),
    (ULIMITS, Ulimit),
    (HEALTHCHECK, Healthcheck),
    (LOGGING, Logging),
    (REGISTRY, Registry),
    (ROLES, Roles),
    (SECRET, Secret),
]
DEFAULTS = {name: field.default for model in (Process, Service) for name, field in model.model_fields.items()}


def tables(table: Table) -> Iterator[Table]:
    yield table
    for key in table.keys.values():
        kind = key.kind
        while isinstance(kind, OrNull | Many | Named):
            kind = kind.kind
        kind = kind.table if isinstance(kind, Short | Members) else kind
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


@pytest.mark.parametrize(("table", "model"), TABLES)
def test_the_form_knows_every_field_of_its_model_and_describes_it(table: Table, model: type[BaseModel]) -> None:
    elsewhere = SHOWN[0][2] if model is Settings else NONE
    assert set(model.model_fields) - elsewhere - set(table.keys) == set()
    assert all(key.about.endswith(".") for each in tables(table) for key in each.keys.values())


def test_every_key_of_a_service_is_shown_once_with_a_comment() -> None:
    web, mailer = (keys_of(name) for name in ("web", "mailer"))
    others = {str(other[0]) for other in OTHERS}
    assert set(web) == set(SERVICE.keys) - others
    assert set(mailer) >= others
    assert [name for name, line in {**mailer, **web}.items() if "#" not in line] == []


def keys_of(service: str) -> dict[str, str]:
    """The lines with the service's own keys."""
    below = re.split(r"\n {0,2}[^ \n]", TEXT.partition(f"\n  {service}:\n")[2])[0]
    return {line.strip().partition(":")[0]: line for line in below.splitlines() if re.match(" {4}[a-z]", line)}


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
