"""Three lines are a configuration, and what they leave out is decided."""

from __future__ import annotations

import pytest

from cockpit.config.settings import BuildSettings, PlacementSettings, Process
from cockpit.model import PlacementKey
from tests.config.reading import read

SMALLEST = """\
services:
  web:
    repo: git@github.com:acme/shop.git
    port: 8000
"""


@pytest.fixture(scope="module")
def placement() -> PlacementSettings:
    (only,) = read(SMALLEST).placements
    return only


def test_it_is_deployed_to_a_production_that_is_protected(placement: PlacementSettings) -> None:
    assert placement.key == PlacementKey("web", "production")
    assert placement.environment.protected
    assert not placement.environment.auto.enabled


def test_it_runs_on_the_local_docker_engine(placement: PlacementSettings) -> None:
    assert placement.environment.host == "local"


def test_the_remotes_default_branch_is_deployed(placement: PlacementSettings) -> None:
    assert (placement.service.repo, placement.service.branch) == ("git@github.com:acme/shop.git", None)


def test_the_dockerfile_at_the_root_is_built_and_the_image_stays_on_the_host(placement: PlacementSettings) -> None:
    service = placement.service
    assert service.build == BuildSettings(context=".", dockerfile="Dockerfile")
    assert (service.path, service.image, service.from_ci) == ("", None, False)


def test_up_is_asked_whether_it_is_healthy(placement: PlacementSettings) -> None:
    assert placement.service.processes["web"].healthcheck.path == "/up"


def test_it_is_one_process_that_answers_to_any_name(placement: PlacementSettings) -> None:
    assert placement.service.processes == {"web": Process(port=8000)}
    assert placement.service.public == {"web": ()}


def test_the_edge_listens_on_port_80_believes_no_proxy_and_cuts_nothing_short(placement: PlacementSettings) -> None:
    edge = placement.environment.edge
    assert (edge.listen, edge.tls, edge.trusted) == (":80", None, ())
    assert (edge.limits.body, edge.limits.read_timeout, edge.limits.write_timeout) == (None, None, None)


def test_nothing_is_run_before_the_switch(placement: PlacementSettings) -> None:
    assert placement.service.migrate is None


def test_the_port_may_be_left_out_too() -> None:
    assert read("services: {web: {repo: r}}").placements[0].service.processes == {"web": Process(port=8000)}
