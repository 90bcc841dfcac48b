"""The addresses of the cockpit's own network: Docker's part of them, and the slots that releases run in."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

SLOT_SIZE = 8  # addresses in a slot, one a replica
DOCKER_PART = 256  # addresses at the start of the subnet that Docker hands out by itself
ADDRESS_REST = 600.0  # seconds a slot rests before another release may have it: dials in flight, pooled connections


@dataclass(frozen=True, slots=True)
class Subnet:
    """The cockpit's own network. Docker hands out the first `DOCKER_PART` addresses, slots have the rest."""

    cidr: str

    @property
    def slots(self) -> int:
        return (IPv4Network(self.cidr).num_addresses - DOCKER_PART) // SLOT_SIZE - 1

    @property
    def docker_part(self) -> str:
        network = IPv4Network(self.cidr)
        return str(IPv4Network((network.network_address, 24)))

    def addresses(self, slot: int, count: int) -> tuple[str, ...]:
        """The addresses of replicas 1 to `count`; slots are numbered from 0."""
        if not (0 <= slot < self.slots and 0 < count <= SLOT_SIZE):
            raise ValueError(f"no slot {slot} with {count} addresses in {self.cidr}")
        first = int(IPv4Network(self.cidr).network_address) + DOCKER_PART + slot * SLOT_SIZE
        return tuple(str(IPv4Address(first + index)) for index in range(count))
