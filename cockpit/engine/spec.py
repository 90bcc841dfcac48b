"""A release's frozen configuration: with its image, all that a rollback restores. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cockpit.config.settings import Edge, Environment, PlacementSettings, Process, Service
from cockpit.edge.base import Pointer
from cockpit.json_form import decode, encode
from cockpit.model import PlacementKey
from cockpit.targets.orders import ContainerSpec, Healthcheck, HealthSpec, Logging, SecretSource
from cockpit.targets.subnet import Subnet

WEB = "web"  # the process whose addresses stand in a pointer without a name before them

Fingerprints = Mapping[str, Mapping[str, str]]  # process → variable → keyed digest of its value


@dataclass(frozen=True, slots=True)
class Migration:
    command: tuple[str, ...]
    timeout: float  # seconds


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """`listen` and `host` say where its customers arrived, for the day when the configuration no longer does.

    `keyed_by` names the key of its fingerprints; "" is of before keys had names."""

    processes: dict[str, ContainerSpec]  # in the order of the configuration
    order: tuple[str, ...] = ()  # in which they are started; () is the order of `processes`
    migrate: Migration | None = None
    host: str = "local"
    listen: str = ":80"
    drain: float = 30.0
    files: dict[str, dict[str, str]] = field(default_factory=dict)  # process → variable of its env files → fingerprint
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)  # process → its names in its networks
    keyed_by: str = ""

    @property
    def image(self) -> str:
        return next(iter(self.processes.values())).image

    @property
    def routed(self) -> tuple[str, ...]:
        return tuple(name for name, process in self.processes.items() if process.port is not None)

    @property
    def main(self) -> str:
        """The process that stands for the release: probes and one-off commands take its options."""
        return next(iter(self.routed or self.processes))

    @property
    def leading(self) -> tuple[str, ...]:
        """The processes that are started and verified before the switch, in that order.

        Those that customers reach; in a release without any, those that may run beside their predecessors."""
        routed = bool(self.routed)
        return tuple(name for name in self._ordered() if leads(self.processes[name], routed=routed))

    @property
    def trailing(self) -> tuple[str, ...]:
        """The processes that take over from their predecessors after the switch, in that order."""
        leading = self.leading
        return tuple(name for name in self._ordered() if name not in leading)

    def _ordered(self) -> tuple[str, ...]:
        return self.order or tuple(self.processes)

    def fingerprints(self, process: str) -> dict[str, str]:
        """Variable → keyed digest, of the secrets and the env files of a process, when it was frozen."""
        secrets = self.processes[process].secrets
        return {**self.files.get(process, {}), **{name: source.fingerprint for name, source in secrets.items()}}

    def comparable(self, keyed_by: str) -> bool:
        """Its fingerprints tell whether a value is the same now."""
        return self.keyed_by in ("", keyed_by)

    def one_off(self, command: tuple[str, ...]) -> ContainerSpec:
        """The main process with another command, once."""
        return replace(self.processes[self.main], command=command, entrypoint=None, replicas=1, port=None)

    def first(self, process: str) -> int | None:
        """Which of the slot's addresses the first replica of that process has; None without a port."""
        if self.processes[process].port is None:
            return None
        before = self.routed[: self.routed.index(process)]
        return sum(self.processes[name].replicas for name in before)

    def addresses(self, slot: int, subnet: Subnet) -> dict[str, tuple[str, ...]]:
        """Where customers reach each process of a release in that slot: "10.231.0.6:8080"."""
        found, routed = {}, self.routed
        hosts = iter(subnet.addresses(slot, sum(self.processes[name].replicas for name in routed)) if routed else ())
        for name in routed:
            process = self.processes[name]
            found[name] = tuple(f"{next(hosts)}:{process.port}" for _ in range(process.replicas))
        return found

    def pointer(self, number: int, slot: int, subnet: Subnet) -> Pointer:
        """Raises ValueError for a release that customers cannot reach."""
        where = self.addresses(slot, subnet)
        return Pointer(number, where.pop(WEB, ()), tuple(where.items()))


def leads(process: Process | ContainerSpec, *, routed: bool) -> bool:
    """It is started before the switch. `routed`: customers reach some process of its release."""
    return process.port is not None if routed else process.replace == "overlap"


def freeze(placement: PlacementSettings, image: str, fingerprints: Fingerprints, files: Fingerprints) -> ReleaseSpec:
    """The configuration of a release as it will be for as long as the release exists."""
    service, environment = placement.service, placement.environment
    return ReleaseSpec(
        processes={
            name: _process(service, process, image, fingerprints.get(name, {}))
            for name, process in service.processes.items()
        },
        order=started_in_order(service.processes),
        migrate=Migration(service.migrate.command, service.migrate.timeout) if service.migrate else None,
        host=environment.host,
        listen=environment.edge.listen,
        drain=service.drain_timeout,
        files={name: dict(of) for name, of in files.items() if of},
        aliases={name: each.aliases for name, each in service.processes.items() if each.aliases},
    )


def _process(service: Service, process: Process, image: str, fingerprints: Mapping[str, str]) -> ContainerSpec:
    limits = process.limits
    return ContainerSpec(
        image=image,
        port=process.port,
        replicas=process.replicas,
        command=process.command,
        entrypoint=process.entrypoint,
        user=process.user,
        working_dir=process.working_dir,
        environment=dict(process.environment),
        secrets={
            name: SecretSource(secret.file, secret.environment, secret.command, fingerprints.get(name, ""))
            for name, secret in process.secrets.items()
        },
        env_files=tuple(each.path for each in process.env_file),
        optional_env_files=tuple(each.path for each in process.env_file if not each.required),
        volumes=process.volumes,
        networks=process.networks,
        extra_hosts=process.extra_hosts,
        tmpfs=process.tmpfs,
        ulimits={name: (each.soft, each.hard) for name, each in process.ulimits.items()},
        read_only=process.read_only,
        init=process.init,
        shm_size=process.shm_size,
        cap_add=process.cap_add,
        cap_drop=process.cap_drop,
        cpus=limits.cpus,
        memory=limits.memory,
        pids=limits.pids,
        logging=Logging(process.logging.driver, dict(process.logging.options)) if process.logging else None,
        healthcheck=_healthcheck(process),
        labels=dict(process.labels),
        stop_signal=process.stop_signal,
        stop_grace=process.stop_grace_period,
        drain=service.drain_timeout,
        health=_asked(process, service.deploy_timeout),
        hosts=process.hosts,
        replace=process.replace,
    )


def _asked(process: Process, deadline: float) -> HealthSpec:
    """How the cockpit asks: with a `test`, the times said beside it are meant for Docker."""
    check = process.healthcheck
    if check.test is not None:
        return HealthSpec(path=check.path, deadline=deadline)
    return HealthSpec(check.path, check.interval, check.timeout, check.retries, deadline)


def _healthcheck(process: Process) -> Healthcheck | None:
    """Docker's own check; what is not said of it is as in the image, or as Docker has it."""
    check = process.healthcheck
    if check.test is None:
        return None
    said = check.model_fields_set
    return Healthcheck(
        test=check.test,
        interval=check.interval if "interval" in said else None,
        timeout=check.timeout if "timeout" in said else None,
        retries=check.retries if "retries" in said else None,
        start_period=check.start_period if "start_period" in said else None,
    )


def started_in_order(processes: Mapping[str, Process]) -> tuple[str, ...]:
    """What a process depends on comes before it; otherwise the order of the configuration, which has no cycle."""
    done: list[str] = []

    def visit(names: Iterable[str]) -> None:
        for name in names:
            if name not in done:
                visit(processes[name].depends_on)
                done.append(name)

    visit(processes)
    return tuple(done)


def to_text(spec: ReleaseSpec) -> str:
    return json.dumps(encode(spec), sort_keys=False)


@lru_cache(maxsize=2048)
def from_text(text: str) -> ReleaseSpec:
    """Also of a release whose image was never made, and of one from before there were processes."""
    said = json.loads(text)
    if not said:
        return ReleaseSpec({})
    if "processes" not in said:
        return ReleaseSpec({WEB: decode(ContainerSpec, said)})
    return decode(ReleaseSpec, said)


def settings_changed(placement: PlacementSettings, live: ReleaseSpec, files: Fingerprints, keyed_by: str) -> bool:
    """The configuration differs from what runs, whatever the commit: pending like a commit.

    `files` are the fingerprints of what the env files say now, by the key of that name; when it is not the key of then,
    only their variables' names are compared. Where customers arrive is not part of a release."""
    secrets = {
        name: {variable: source.fingerprint for variable, source in process.secrets.items()}
        for name, process in live.processes.items()
    }
    now, kept = freeze(placement, live.image, secrets, files), live.files
    if not live.comparable(keyed_by):
        kept = {process: dict.fromkeys(of, "") for process, of in live.files.items()}
        now = replace(now, files={process: dict.fromkeys(of, "") for process, of in now.files.items()})
    return (now.processes, now.order, now.migrate, now.files) != (
        live.processes,
        live.order or tuple(live.processes),
        live.migrate,
        kept,
    )


def left_behind(key: PlacementKey, live: ReleaseSpec, environment: Environment | None) -> PlacementSettings:
    """What is known of a placement that the configuration has no longer, from its live release and what the
    configuration still says of its environment."""
    processes = {
        name: Process(
            port=process.port,
            hosts=process.hosts,
            replicas=process.replicas,
            networks=process.networks,
            aliases=live.aliases.get(name, ()),
        )
        for name, process in live.processes.items()
    }
    if environment is None or environment.host != live.host:
        environment = Environment(protected=True, host=live.host, edge=Edge(listen=live.listen))
    return PlacementSettings(key=key, environment=environment, service=Service(repo="", processes=processes))
