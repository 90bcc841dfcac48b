"""Who looks, and what they are told: the one place that events leave the engine by."""

from __future__ import annotations

from cockpit.engine.api import Peer
from cockpit.protocol import Event


class Hub:
    """Events go to the peers that subscribed; sending never waits for one of them."""

    def __init__(self) -> None:
        self._peers: dict[Peer, bool] = {}  # subscribed?

    def joined(self, peer: Peer) -> None:
        self._peers[peer] = False

    def left(self, peer: Peer) -> None:
        self._peers.pop(peer, None)

    def subscribe(self, peer: Peer) -> None:
        self._peers[peer] = True

    def publish(self, event: Event) -> None:
        for peer, subscribed in list(self._peers.items()):
            if subscribed:
                peer.send(event)

    @property
    def names(self) -> tuple[str, ...]:
        """Of whom each open cockpit is, in the order they came; a name twice is two sessions."""
        return tuple(peer.actor.name for peer in self._peers if peer.client == "tui")
