"""What rooms that may not import each other must say alike."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from cockpit.build import docker as builder
from cockpit.config import settings, words
from cockpit.demo import runtime
from cockpit.edge import base as edge_base
from cockpit.edge import caddy, config, follow
from cockpit.engine import plan
from cockpit.health import probe
from cockpit.model import PlacementKey
from cockpit.ssh import line
from cockpit.targets import edge_container, labels, subnet
from cockpit.targets.orders import ContainerSpec

KEY = PlacementKey("shop", "production")


def test_a_release_has_as_many_replicas_as_a_slot_has_addresses_and_the_edge_follows() -> None:
    assert settings.MAX_ROUTED == subnet.SLOT_SIZE == follow.REPLICAS


def test_an_image_is_known_as_ours_by_the_label_that_it_was_built_with() -> None:
    assert builder.INSTALLATION == labels.IMAGE_INSTALLATION == runtime.LABEL


def test_the_edge_finds_its_files_where_its_container_has_them() -> None:
    assert str(caddy.INSIDE) == edge_container.INSIDE
    assert config.ADMIN_SOCKET == edge_container.ADMIN_SOCKET
    assert (edge_base.RUN, edge_base.RUN_VARIABLE) == (edge_container.RUN, edge_container.RUN_VARIABLE)


def test_the_prober_reads_the_header_that_the_edge_writes() -> None:
    written = json.dumps(follow.follow(KEY, "", PurePosixPath("/edge")))
    assert f'"{probe.RELEASE_HEADER}"' in written.lower()


def test_no_variable_that_the_engine_sets_is_left_to_the_configuration() -> None:
    ours = plan.container_environment(KEY, 1, "c0ffee", ContainerSpec("image"), {})
    assert set(words.RESERVED) == set(ours)


def test_a_line_forwards_the_edges_sockets_from_where_the_edge_has_them() -> None:
    assert line.EDGE_RUN == edge_container.RUN
    assert line.SOCKETS[1:] == (config.ADMIN_SOCKET, config.PROBE_SOCKET)
