"""What to do, decided without doing it: steps, names, and where a rollback goes. All pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from cockpit.config.settings import BuildSettings, Service
from cockpit.engine.spec import ReleaseSpec, leads
from cockpit.errors import Refused
from cockpit.model import PlacementKey
from cockpit.store.base import ReleaseRecord
from cockpit.targets.orders import ContainerSpec

# The whole order of a deploy; which of them a service needs says `steps`. `bake` has its place and no step yet.
DEPLOY = ("preflight", "fetch", "build", "push", "pull", "migrate")
MOVE = ("start", "verify", "switch", "confirm", "processes", "settle")
ROLLED_BACK_HOT = 120.0  # seconds that a release rolled back from stays hot, to undo a mistaken rollback
LONGEST_HOT = 8 * 86400.0  # seconds; a time further ahead was written while the clock was wrong
SERVED_GOOD = 600.0  # seconds of service without failing that make a release good


def steps(service: Service, live: ReleaseSpec | None) -> tuple[str, ...]:
    """Of a deploy: what the configuration asks for, and what `live` leaves to be stopped.

    Rollback and restart move a release that there is: `moves`."""
    pulled, routed = service.from_ci, bool(service.routed)
    needed = {
        "build": not pulled,
        "push": service.image is not None and not pulled,
        "pull": pulled,
        "migrate": service.migrate is not None,
        "confirm": routed,
        "processes": not all(leads(each, routed=routed) for each in service.processes.values()) or _trails(live),
    }
    return tuple(name for name in (*DEPLOY, *MOVE) if needed.get(name, True))


def moves(spec: ReleaseSpec, live: ReleaseSpec | None) -> tuple[str, ...]:
    """The steps that bring customers from `live` to a release that there is."""
    needed = {"confirm": bool(spec.routed), "processes": _trails(spec) or _trails(live)}
    return tuple(name for name in MOVE if needed.get(name, True))


def _trails(release: ReleaseSpec | None) -> bool:
    return release is not None and bool(release.trailing)


def image_tag(installation: str, service: str, commit: str, tree: str, build: BuildSettings) -> str:
    """The same commit, tree and build settings give the same tag, in every environment."""
    inputs = json.dumps([tree, build.model_dump(mode="json")], sort_keys=True)
    return f"cockpit-{installation}/{service}:{commit[:12]}-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"


def push_reference(image: str, commit: str, tree: str) -> str:
    """`registry/name:{sha}-{tree}`; a tag of the user's own wins."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last else f"{image}:{commit[:12]}-{tree[:8]}"


def container_environment(
    key: PlacementKey, number: int, commit: str, spec: ContainerSpec, values: Mapping[str, str]
) -> dict[str, str]:
    """What a process gets: its own settings, the values of its secrets and env files, and where it is.

    As in Compose, what is said in the configuration wins over an env file; a name is never both that and a secret."""
    ours = {
        "COCKPIT_RELEASE": f"r{number}",
        "COCKPIT_COMMIT": commit,
        "COCKPIT_ENVIRONMENT": key.environment,
        "COCKPIT_SERVICE": key.service,
    }
    return {**values, **spec.environment, **ours}


def returnable(releases: Iterable[ReleaseRecord], live: int | None) -> tuple[ReleaseRecord, ...]:
    """Releases that a rollback may go to, newest first: they took traffic, are not live, and their image is here."""
    return tuple(
        release
        for release in releases
        if release.number != live and release.took_traffic_at and not release.failed and not release.image_removed
    )


def hot(record: ReleaseRecord, now: float) -> bool:
    """It still has its time out of traffic."""
    return record.hot_until is not None and now < record.hot_until <= now + LONGEST_HOT


def rollback_default(releases: Iterable[ReleaseRecord], live: int | None) -> ReleaseRecord | None:
    """Last good; before anything is good, the newest that served. Never one that was rolled back from."""
    candidates = [
        release
        for release in returnable(releases, live)
        if release.rolled_back_at is None and (live is None or release.number < live)
    ]
    good = [release for release in candidates if release.good_at is not None]
    return next(iter(good or candidates), None)


def rollback_target(releases: Iterable[ReleaseRecord], live: int | None, wanted: int | None) -> ReleaseRecord:
    """Where a rollback goes: to the release that was asked for, else by default. Raises Refused when there is none."""
    if live is None:
        raise Refused("nothing is live here: there is nothing to roll back")
    options = returnable(releases, live)
    if wanted is None:
        chosen, lacking = rollback_default(options, live), "no release is known good"
    else:
        chosen = next((each for each in options if each.number == wanted), None)
        lacking = f"r{wanted} is not a release to go back to"
    if chosen is None:
        raise Refused(lacking, f"releases to go back to: {', '.join(each.name for each in options) or 'none'}")
    return chosen
