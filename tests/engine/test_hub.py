from __future__ import annotations

from cockpit.engine.api import Peer
from cockpit.engine.hub import Hub
from cockpit.model import Actor


def test_two_cockpits_of_one_person_are_two_and_a_command_is_none() -> None:
    hub = Hub()
    for name, client in (("ana", "tui"), ("tom", "tui"), ("ana", "tui"), ("mia", "cli")):
        hub.joined(Peer(Actor(name), client))
    assert hub.names == ("ana", "tom", "ana")
