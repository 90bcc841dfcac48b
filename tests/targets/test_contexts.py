"""Docker's contexts by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cockpit.errors import ConfigError
from cockpit.targets.contexts import resolve


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def write(config: Path, name: str, content: str) -> None:
    directory = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    directory.mkdir(parents=True)
    (directory / "meta.json").write_text(content)


def context(config: Path, name: str, host: str) -> None:
    write(config, name, json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}))


@pytest.mark.parametrize("host", ["ssh://deploy@shop-1:2222", "unix:///run/other.sock"])
def test_a_context_stands_for_its_host(config: Path, host: str) -> None:
    context(config, "shop", host)
    assert resolve("context:shop") == host


def test_without_a_variable_it_is_read_from_the_home(own_home: Path) -> None:
    context(own_home / ".docker", "shop", "ssh://shop-1")
    assert resolve("context:shop") == "ssh://shop-1"


@pytest.mark.parametrize("host", ["local", "unix:///run/docker.sock", "ssh://shop-1"])
def test_what_is_no_context_stays_as_it_is(config: Path, host: str) -> None:
    assert resolve(host) == host


def test_the_default_context_is_the_local_engine(config: Path) -> None:
    assert resolve("context:default") == "local"


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "http://shop-1"])
def test_an_engine_on_a_port_is_refused_with_what_to_write_instead(config: Path, host: str) -> None:
    context(config, "shop", host)
    with pytest.raises(ConfigError, match="leads to") as refused:
        resolve("context:shop")
    assert "ssh://user@host" in refused.value.hint


def test_a_context_that_docker_does_not_have_is_an_error_that_says_where_they_are(config: Path) -> None:
    with pytest.raises(ConfigError, match="no context shop") as refused:
        resolve("context:shop")
    assert str(config) in refused.value.hint


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"Endpoints": {"docker": []}}', '{"Endpoints": 3}', "\udcff"])
def test_a_damaged_context_is_an_error(config: Path, content: str) -> None:
    write(config, "shop", content.encode("utf-8", "surrogateescape").decode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve("context:shop")
