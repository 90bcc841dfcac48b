"""What each host remembers of its releases, kept in step with the release log: for the day when the log is gone.

Not in it: what containers tell themselves (slot, state), what changes by the minute, and the value of any secret.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import replace

from cockpit.clock import Clock
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.rows import RECORDS
from cockpit.errors import CockpitError, TargetDown, TargetError
from cockpit.json_form import decode, encode
from cockpit.model import PlacementKey
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Remembered

log = logging.getLogger(__name__)

AGAIN = 300.0  # seconds between looks whether somebody pruned it


def text_of(record: ReleaseRecord) -> str:
    """Pure."""
    kept = replace(
        record,
        slot=None,
        live_since=None,
        left_traffic_at=None,
        served_seconds=0.0,
        baking_until=None,
        hot_until=None,
        stopped=False,
    )
    return json.dumps(encode(kept), separators=(",", ":"))


def record_of(remembered: Remembered) -> ReleaseRecord | None:
    """None for what another version wrote and nobody can read now. Pure."""
    try:
        found = decode(ReleaseRecord, json.loads(remembered.text))
    except ValueError:
        return None
    right = (found.key, found.number) == (remembered.key, remembered.release)
    return found if right else None


def worth_it(record: ReleaseRecord) -> bool:
    """Somebody may go back to it, or be on it."""
    return bool(record.image) and not record.failed and not record.image_removed


async def numbered(ports: Ports, host: Host, record: ReleaseRecord) -> ReleaseRecord:
    """With a number that neither this log nor any other bastion's has for another release: the host remembers it before
    the log does. Raises TargetDown; a host that cannot remember keeps nobody from deploying."""
    known = {each.release for each in host.of(record.key)} | set(await ports.store.numbers(record.key))
    try:
        known |= {each.release for each in await host.target.remembered() if each.key == record.key}
        record = replace(record, number=max(known, default=0) + 1)
        await host.target.remember(record.key, record.number, text_of(record))
    except TargetDown:
        raise
    except TargetError as error:
        log.warning("%s: %s", host.name, error.message)
    return replace(record, number=max(known, default=0) + 1)


async def note(host: Host, record: ReleaseRecord) -> None:
    """Before its containers are made. A host that cannot remember does not keep anybody from deploying."""
    text = text_of(record)
    try:
        await host.target.remember(record.key, record.number, text)
    except TargetError as error:
        host.memory_note = error.message
        log.warning("%s: %s", host.name, error.message)
    else:
        host.memory.setdefault(record.key, {})[record.number] = text
        host.kept.pop(record.key, None)


async def keep(host: Host, clock: Clock, key: PlacementKey, records: tuple[ReleaseRecord, ...]) -> None:
    """All of a placement that is worth it, as it is now, and nothing else. Raises TargetDown."""
    now = clock.monotonic()
    if host.memory_read_at is None or now - host.memory_read_at >= AGAIN:
        await _read(host)
        host.memory_read_at, host.memory_note = now, ""
    if host.memory_note or host.kept.get(key) is records:
        return  # until it is read again, or they are
    try:
        await _keep(host, key, {each.number: each for each in records})
        host.kept[key] = records
    except TargetDown:
        raise
    except CockpitError as error:
        host.memory_note = error.message
        log.warning("%s: %s", host.name, error.message)


async def _read(host: Host) -> None:
    memory: defaultdict[PlacementKey, dict[int, str]] = defaultdict(dict)
    for each in await host.target.remembered():
        memory[each.key][each.release] = each.text
    host.memory = memory
    host.kept.clear()


async def _keep(host: Host, key: PlacementKey, records: dict[int, ReleaseRecord]) -> None:
    """What nobody can go back to any more is forgotten: releases too old to be among `records`, once all of those that
    are kept are there. Of others that are not among them, which another engine knows, everything stays as it is."""
    wanted = {number: text_of(each) for number, each in records.items() if worth_it(each)}
    memory = host.memory.setdefault(key, {})
    for number, text in wanted.items():
        if memory.get(number) != text:
            await host.target.remember(key, number, text)
            memory[number] = text
    oldest = sorted(records)[-RECORDS] if len(records) >= RECORDS else 0
    newest = max(memory, default=0)  # stays, also of a failed one: other bastions number theirs after it
    for number in [number for number in memory if number in records or number < oldest]:
        if number not in wanted and number != newest:
            await host.target.forget(key, number)
            del memory[number]
