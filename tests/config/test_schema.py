"""The JSON Schema says what the loader does: it accepts the example and refuses what the loader refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cockpit.config.schema import schema

EXAMPLE = yaml.safe_load((Path(__file__).parents[2] / "config.example.yaml").read_text())
WEB = {"repo": "shop.git"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def accepts(rule: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as ours uses."""
    known = {"$schema", "title", "description", "default", "type", "anyOf", "pattern", "minimum", "minItems", "items"}
    assert set(rule) <= known | {
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "maximum",
        "exclusiveMinimum",
        "enum",
    }
    return (
        _typed(rule, value)
        and value in rule.get("enum", [value])
        and ("anyOf" not in rule or any(accepts(each, value) for each in rule["anyOf"]))
        and (not isinstance(value, str) or re.search(rule.get("pattern", ""), value) is not None)
        and (not isinstance(value, int | float) or _within(rule, value))
        and (not isinstance(value, list) or _listed(rule, value))
        and (not isinstance(value, dict) or _mapped(rule, value))
    )


def _typed(rule: dict[str, Any], value: Any) -> bool:
    names = rule.get("type", list(TYPES))
    names = [names] if isinstance(names, str) else names
    return any(isinstance(value, TYPES[name]) and isinstance(value, bool) <= (name == "boolean") for name in names)


def _within(rule: dict[str, Any], value: float) -> bool:
    low, high, above = rule.get("minimum"), rule.get("maximum"), rule.get("exclusiveMinimum")
    return (low is None or value >= low) and (high is None or value <= high) and (above is None or value > above)


def _listed(rule: dict[str, Any], value: list[Any]) -> bool:
    return len(value) >= rule.get("minItems", 0) and all(accepts(rule.get("items", {}), each) for each in value)


def _mapped(rule: dict[str, Any], value: dict[str, Any]) -> bool:
    other = rule.get("additionalProperties", {})
    return set(rule.get("required", ())) <= set(value) and all(
        accepts(rule.get("propertyNames", {}), name)
        and (other is not False or name in rule["properties"])
        and accepts(rule.get("properties", {}).get(name, other or {}), each)
        for name, each in value.items()
    )


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(schema())) == schema()


def test_the_schema_accepts_the_example() -> None:
    assert accepts(schema(), EXAMPLE)


@pytest.mark.parametrize(
    "keys",
    [
        {"build": "."},
        {"bake": 600, "keep_hot": "1h30m"},
        {"limits": {"memory": "512m"}},
        {"command": "run", "entrypoint": ["run", "it"]},
        {"environment": ["A=b"]},
        {"environment": {"A": 1, "B": True}},
        {"hosts": "shop.example.com"},
        {"port": None},
        {"env": ["A=b"], "env_file": "/a", "aliases": "web", "tmpfs": "/run"},
        {"env_file": ["/a", {"path": "/b", "required": False}]},
        {"networks": ["a"], "depends_on": ["web"], "extra_hosts": ["a:10.0.0.1"]},
        {"networks": {"a": None, "b": {"aliases": ["x"]}}, "depends_on": {"web": {"condition": "service_healthy"}}},
        {
            "extra_hosts": {"a": "10.0.0.1", "b": ["10.0.0.2"]},
            "ulimits": {"core": 0, "nofile": {"soft": 1, "hard": -1}},
        },
        {"volumes": ["a:/b", {"type": "tmpfs", "target": "/run", "tmpfs": {"size": "1m", "mode": 1777}}]},
        {"healthcheck": {"test": "true"}, "logging": {"options": {"max-file": 3}}},
        {"healthcheck": {"test": ["CMD", "true"], "disable": False}},
        {"cpus": "0.5", "mem_limit": "1g", "pids_limit": -1},
        {"deploy": {"replicas": 2, "resources": {"limits": {"cpus": "0.5", "memory": "1g"}}}},
        {"image": "r.example.com/shop:{sha}", "migrate": "rake db"},
        {"migrate": {"command": ["rake", "db"], "timeout": "5m"}},
        {"processes": {"web": None, "worker": {"replace": "recreate"}}},
        {"environments": {"production": None}},
    ],
)
def test_the_schema_accepts_the_short_forms(keys: dict[str, Any]) -> None:
    assert accepts(schema(), {"services": {"web": WEB | keys}})


@pytest.mark.parametrize(
    "keys",
    [
        {"prot": 8000},
        {"port": "22:22"},
        {"port": 70000},
        {"replicas": 0},
        {"bake": "10 minutes"},
        {"keep_hot": ""},
        {"limits": {"cpus": 0}},
        {"secrets": {"A": "hunter2"}},
        {"environment": {"COCKPIT_RELEASE": "x"}},
        {"path": "../x"},
        {"environments": {"Production": {}}},
        {"replace": "rolling"},
        {"image": "r.example.com/shop:latest"},
        {"depends_on": {"web": {"condition": "service_completed_successfully"}}},
        {"volumes": [{"type": "volume"}]},
        {"ulimits": {"nofile": {"soft": 1}}},
        {"env_file": ".env"},
        {"migrate": {"timeout": "5m"}},
        {"processes": {"worker": {"repo": "x"}}},
        {"environments": {"production": {"replica": 1}}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(keys: dict[str, Any]) -> None:
    assert not accepts(schema(), {"services": {"web": WEB | keys}})


@pytest.mark.parametrize(
    ("edge", "fits"),
    [
        ({"tls": {}, "trusted_proxies": "private", "limits": {"body": "10m"}}, True),
        ({"tls": None, "trusted_proxies": ["10.0.0.0/8"], "networks": ["traefik"], "labels": ["a=b"]}, True),
        ({"trusted_proxies": None, "binaries": {"arm64": "/opt/caddy"}}, True),
        ({"trusted_proxies": "all"}, False),
        ({"tls": {"issuer": "letsencrypt"}}, False),
        ({"tls": {"certificates": [{"certificate": "/a"}]}}, False),
        ({"binaries": {"x86_64": "/opt/caddy"}}, False),
    ],
)
def test_the_schema_knows_the_edges_forms(edge: dict[str, Any], fits: bool) -> None:
    assert accepts(schema(), {"services": {"web": WEB}, "edge": edge}) is fits


@pytest.mark.parametrize("host", ["local", "unix:///a", "ssh://a@b:22", "context:x", "deploy@host", "ssh://-oX"])
def test_the_schema_knows_what_a_docker_host_is(host: str) -> None:
    fits = not host.startswith(("deploy", "ssh://-"))
    assert accepts(schema(), {"services": {"web": WEB}, "environments": {"a": {"host": host}}}) is fits


def test_a_service_needs_a_repository() -> None:
    assert not accepts(schema(), {"services": {"web": {}}})


def test_every_key_has_a_description_and_the_models_default() -> None:
    replicas = schema()["properties"]["services"]["additionalProperties"]["properties"]["replicas"]
    assert replicas == {
        "description": "Containers of one release.",
        "type": "integer",
        "default": 1,
        "minimum": 1,
        "maximum": 64,
    }
