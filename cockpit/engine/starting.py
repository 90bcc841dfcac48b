"""Bringing up one process of a release: its values, its order, its containers. Deploys and the recovery share it."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.config.settings import Service
from cockpit.engine import plan, spec
from cockpit.engine.host import Host
from cockpit.engine.secrets import Secrets
from cockpit.engine.spec import ReleaseSpec
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Container
from cockpit.targets.orders import ContainerSpec, RunOrder, StartOrder

Say = Callable[[str], None]
_Source = tuple[str | None, str | None, tuple[str, ...] | None]


class Values:
    """What secrets and env files say during one operation: each place is asked once."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: dict[_Source, str] = {}

    async def of(self, process: ContainerSpec) -> dict[str, str]:
        """Raises ConfigError that names the secret or the file, never a value."""
        asked = {name: (each.file, each.environment, each.command) for name, each in process.secrets.items()}
        missing = {name: each for name, each in process.secrets.items() if asked[name] not in self._known}
        for name, value in (await self._secrets.resolve(missing)).items():
            self._known[asked[name]] = value
        files = await self._secrets.env_files(process.env_files, process.optional_env_files)
        return {**files, **{name: self._known[source] for name, source in asked.items()}}

    async def fingerprints(self, release: ReleaseSpec) -> dict[str, dict[str, str]]:
        """Process → variable → keyed digest, of secrets and env files alike."""
        return {name: self._secrets.fingerprints(await self.of(process)) for name, process in release.processes.items()}


async def file_fingerprints(secrets: Secrets, service: Service) -> dict[str, dict[str, str]]:
    """Process → variable → keyed digest of what its env files say now. Raises ConfigError."""
    found = {}
    for name, process in service.processes.items():
        optional = tuple(each.path for each in process.env_file if not each.required)
        said = await secrets.env_files(tuple(each.path for each in process.env_file), optional)
        found[name] = secrets.fingerprints(said)
    return {name: of for name, of in found.items() if of}


async def start_process(
    host: Host, values: Values, record: ReleaseRecord, process: str, operation: int
) -> tuple[Container, ...]:
    """All replicas of one process, in the release's slot."""
    assert record.slot is not None, "leased before"
    frozen = spec.from_text(record.spec)
    order = StartOrder(
        key=record.key,
        release=record.number,
        operation=operation,
        slot=record.slot,
        spec=frozen.processes[process],
        environment=await _environment(values, record, process),
        process=process,
        first=frozen.first(process),
    )
    return await host.target.start(order)


async def one_off(values: Values, record: ReleaseRecord, command: tuple[str, ...], operation: int) -> RunOrder:
    """A command in a container of its own, with all that the release's main process has."""
    frozen = spec.from_text(record.spec)
    return RunOrder(
        key=record.key,
        release=record.number,
        operation=operation,
        spec=frozen.one_off(command),
        environment=await _environment(values, record, frozen.main),
    )


async def _environment(values: Values, record: ReleaseRecord, process: str) -> dict[str, str]:
    of = spec.from_text(record.spec).processes[process]
    return plan.container_environment(record.key, record.number, record.commit, of, await values.of(of))
