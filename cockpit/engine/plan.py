"""What to do, decided without doing it: steps, frozen specs, names, and where a rollback goes. All pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from cockpit.config.settings import BuildSettings, PlacementSettings, Service
from cockpit.model import OperationKind, PlacementKey
from cockpit.protocol import decode, encode
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import ContainerSpec, HealthSpec, SecretSource

# The whole order of a deploy; `migrate` and `bake` have their place and no step of their own yet.
ORDER = (
    "preflight",
    "fetch",
    "build",
    "push",
    "migrate",
    "start",
    "verify",
    "switch",
    "confirm",
    "bake",
    "settle",
)
ABSENT = frozenset({"migrate", "bake"})
ROLLBACK = ("start", "verify", "switch", "confirm", "settle")
ROLLED_BACK_HOT = 120.0  # seconds that a release rolled back from stays hot, to undo a mistaken rollback
SERVED_GOOD = 600.0  # seconds of service without failing that make a release good


def steps(kind: OperationKind, service: Service) -> tuple[str, ...]:
    if kind is OperationKind.ROLLBACK:
        return ROLLBACK
    return tuple(
        name for name in ORDER if name not in ABSENT and (name != "push" or service.image) and _routed(name, service)
    )


def _routed(name: str, service: Service) -> bool:
    """Without a port there is nothing to ask through the public route."""
    return name != "confirm" or service.port is not None


def freeze(placement: PlacementSettings, image: str, fingerprints: Mapping[str, str]) -> ContainerSpec:
    """The configuration of a release as it will be for as long as the release exists."""
    service, check = placement.service, placement.service.healthcheck
    return ContainerSpec(
        image=image,
        port=service.port,
        replicas=service.replicas,
        command=service.command,
        entrypoint=service.entrypoint,
        user=service.user,
        working_dir=service.working_dir,
        environment=dict(service.environment),
        secrets={
            name: SecretSource(secret.file, secret.environment, secret.command, fingerprints.get(name, ""))
            for name, secret in service.secrets.items()
        },
        volumes=service.volumes,
        cpus=service.limits.cpus,
        memory=service.limits.memory,
        labels=dict(service.labels),
        stop_signal=service.stop_signal,
        stop_grace=service.stop_grace_period,
        drain=service.drain_timeout,
        health=HealthSpec(check.path, check.interval, check.timeout, check.retries, service.deploy_timeout),
        hosts=service.hosts,
    )


def to_text(spec: ContainerSpec) -> str:
    return json.dumps(encode(spec), sort_keys=True)


def from_text(text: str) -> ContainerSpec:
    return decode(ContainerSpec, json.loads(text))


def settings_changed(placement: PlacementSettings, live: ContainerSpec) -> bool:
    """The configuration differs from what runs, whatever the commit: pending like a commit."""
    fingerprints = {name: source.fingerprint for name, source in live.secrets.items()}
    return freeze(placement, live.image, fingerprints) != live


def image_tag(installation: str, service: str, commit: str, tree: str, build: BuildSettings) -> str:
    """The same commit, tree and build settings give the same tag, in every environment."""
    inputs = json.dumps([tree, build.model_dump(mode="json")], sort_keys=True)
    return f"cockpit-{installation}/{service}:{commit[:12]}-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"


def push_reference(image: str, commit: str, tree: str) -> str:
    """`registry/name:{sha}-{tree}`; a tag of the user's own wins."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last else f"{image}:{commit[:12]}-{tree[:8]}"


def container_environment(
    key: PlacementKey, number: int, commit: str, spec: ContainerSpec, secrets: Mapping[str, str]
) -> dict[str, str]:
    """What the process gets: its own settings, its secrets, and where it is."""
    ours = {
        "COCKPIT_RELEASE": f"r{number}",
        "COCKPIT_COMMIT": commit,
        "COCKPIT_ENVIRONMENT": key.environment,
        "COCKPIT_SERVICE": key.service,
    }
    return {**spec.environment, **secrets, **ours}


def returnable(releases: Iterable[ReleaseRecord], live: int | None) -> tuple[ReleaseRecord, ...]:
    """Releases that a rollback may go to, newest first: they took traffic, are not live, and their image is here."""
    return tuple(
        release
        for release in releases
        if release.number != live and release.took_traffic_at and not release.failed and not release.image_removed
    )


def rollback_default(releases: Iterable[ReleaseRecord], live: int | None) -> ReleaseRecord | None:
    """Last good; before anything is good, the newest that served. Never one that was rolled back from."""
    candidates = [
        release
        for release in returnable(releases, live)
        if release.rolled_back_at is None and (live is None or release.number < live)
    ]
    good = [release for release in candidates if release.good_at is not None]
    return next(iter(good or candidates), None)
