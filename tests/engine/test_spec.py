"""A release's frozen configuration: what it keeps, where its processes listen, and when it differs from the file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cockpit.config.settings import Environment, Migrate, PlacementSettings, Process, Secret, Service
from cockpit.edge.base import Pointer
from cockpit.engine import spec
from cockpit.model import PlacementKey
from cockpit.targets.subnet import Subnet

SHOP = PlacementKey("shop", "production")
SUBNET = Subnet("10.231.0.0/18")
KEY = "1f2e3d4c"  # the name of the key of the fingerprints


def placement(processes: dict[str, Process], **more: Any) -> PlacementSettings:
    service = Service(repo="r", processes=processes, **more)
    return PlacementSettings(key=SHOP, environment=Environment(), service=service)


def frozen(**processes: Process) -> spec.ReleaseSpec:
    return spec.freeze(placement(processes), "sha256:1", {}, {})


WEB = Process(port=8000, replicas=2)
ADMIN = Process(port=9000)
WORKER = Process()
CLOCK = Process(replace="recreate")


def test_what_was_frozen_comes_back_as_it_was() -> None:
    made = spec.freeze(
        placement(
            {"web": WEB, "worker": Process(command=("work",), secrets={"KEY": Secret(file="/k")})},
            migrate=Migrate(command=("migrate",)),
        ),
        "sha256:1",
        {"worker": {"KEY": "abc"}},
        {"web": {"FROM_FILE": "def"}},
    )
    assert spec.from_text(spec.to_text(made)) == made
    assert made.fingerprints("worker") == {"KEY": "abc"}
    assert made.fingerprints("web") == {"FROM_FILE": "def"}


def test_a_release_from_before_there_were_processes_has_one() -> None:
    old = spec.from_text(json.dumps({"image": "sha256:1", "port": 8080}))
    assert old.routed == ("web",)
    assert old.addresses(0, SUBNET) == {"web": ("10.231.1.0:8080",)}


def test_a_release_whose_image_was_never_made_has_nothing_to_run() -> None:
    nothing = spec.from_text("{}")
    assert (nothing.leading, nothing.trailing, nothing.routed) == ((), (), ())


def test_processes_with_a_port_share_a_slot_and_stand_in_one_line_of_the_pointer() -> None:
    made = frozen(worker=WORKER, admin=ADMIN, web=WEB)
    assert made.addresses(0, SUBNET) == {"admin": ("10.231.1.0:9000",), "web": ("10.231.1.1:8000", "10.231.1.2:8000")}
    assert [made.first(name) for name in ("worker", "admin", "web")] == [None, 0, 1]
    pointer = made.pointer(42, 0, SUBNET)
    assert pointer.line() == "r42 10.231.1.1:8000 10.231.1.2:8000 / admin 10.231.1.0:9000 ."
    assert Pointer.parse(pointer.line()) == pointer


def test_a_pointer_names_every_process_that_is_not_called_web() -> None:
    """Or a process that becomes the first in the file would get another one's customers until the next deploy."""
    pointer = frozen(api=ADMIN).pointer(7, 0, SUBNET)
    assert pointer.line() == "r7 / api 10.231.1.0:9000 ."
    assert Pointer.parse(pointer.line()) == pointer


@pytest.mark.parametrize(
    ("processes", "leading", "trailing"),
    [
        ({"web": WEB, "worker": WORKER, "clock": CLOCK}, ("web",), ("worker", "clock")),
        ({"worker": WORKER, "clock": CLOCK}, ("worker",), ("clock",)),
        ({"clock": CLOCK}, (), ("clock",)),
        ({"worker": Process(depends_on=("queue",)), "queue": WORKER, "web": WEB}, ("web",), ("queue", "worker")),
    ],
)
def test_what_customers_reach_starts_before_the_switch_and_the_rest_after_it(
    processes: dict[str, Process], leading: tuple[str, ...], trailing: tuple[str, ...]
) -> None:
    made = frozen(**processes)
    assert (made.leading, made.trailing) == (leading, trailing)


def test_changed_settings_are_noticed_and_where_customers_arrive_is_none_of_them() -> None:
    live = frozen(web=WEB)
    same = placement({"web": WEB})
    elsewhere = same.model_copy(update={"environment": Environment.model_validate({"edge": {"listen": ":81"}})})
    assert not spec.settings_changed(same, live, {}, KEY)
    assert not spec.settings_changed(elsewhere, live, {}, KEY)
    assert spec.settings_changed(placement({"web": WEB, "worker": WORKER}), live, {}, KEY)
    assert spec.settings_changed(placement({"web": WEB.model_copy(update={"environment": {"A": "1"}})}), live, {}, KEY)
    assert spec.settings_changed(same, live, {"web": {"FROM_FILE": "new"}}, KEY)


def test_of_fingerprints_by_a_lost_key_only_the_names_of_the_variables_are_compared() -> None:
    same = placement({"web": WEB})
    live = replace(frozen(web=WEB), files={"web": {"FROM_FILE": "old"}}, keyed_by="the lost one")
    assert not spec.settings_changed(same, live, {"web": {"FROM_FILE": "new"}}, KEY)
    assert spec.settings_changed(same, live, {"web": {"FROM_FILE": "old", "MORE": "x"}}, KEY)
    assert spec.settings_changed(same, live, {"web": {"FROM_FILE": "new"}}, "the lost one")


def test_a_placement_that_the_configuration_lost_keeps_its_routes() -> None:
    live = frozen(web=Process(port=8000, hosts=("shop.example.com",)), worker=WORKER)
    left = spec.left_behind(SHOP, live, None)
    assert left.service.public == {"web": ("shop.example.com",)}
    assert left.environment.protected
