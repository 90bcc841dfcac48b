"""Names by which other containers call the live release. Compose's own containers keep theirs as long as they run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cockpit.config.compose.draft import Draft, slug, unique
from cockpit.config.compose.neighbours import callers, names_of
from cockpit.config.compose.project import Left, Project
from cockpit.config.compose.sheet import Sheet

CALL = "{who} it {old}, which is Compose's own container; after the first deploy write {new} there{where}"
LATER = "with it write aliases: [{new}], for {old} is Compose's own container{where}"
NOBODY = "only what has a port and a network is called by a name"
PAGE = " (docs/adopt.md)"
LISTED = 5  # callers that are named


@dataclass(frozen=True, slots=True)
class Called:
    """Something with customers in a network, and the Compose services that are known to call it there."""

    draft: Draft
    sheet: Sheet
    by: list[str]


def aliases(project: Project, drafts: list[Draft], ahead: Collection[str]) -> None:
    """Gives each process that is called by a name another one; `ahead` are proxies in containers: they call by name."""
    every = [each for draft in drafts for each in _callable(project, draft)]
    called = [each for each in every if each.by or each.sheet.called]
    if ahead and not any(set(each.by) & set(ahead) for each in every):
        firsts = {each.draft.name: each for each in reversed(every)}
        called += [each for each in firsts.values() if each not in called]
    taken = {name for service in project.services.values() for name in names_of(service)}
    for each in called:
        short = slug(project.name)
        name = short if len(every) == 1 and short not in taken else unique(f"{slug(each.sheet.name)[:35]}-live", taken)
        taken.add(name)
        _write(each, name, ahead)
    for draft in drafts:
        draft.left += _unreachable(draft, [each.sheet for each in called])


def _callable(project: Project, draft: Draft) -> Iterator[Called]:
    apart = {each.name for each in draft.processes.values()} | ({draft.migrate.name} if draft.migrate else set())
    for sheet in draft.processes.values():
        if "port" in sheet.options and sheet.options.get("networks"):
            by = {caller for name in names_of(sheet.service) for caller in callers(name, project, apart)}
            yield Called(draft, sheet, sorted(by - {sheet.name}))


def _write(called: Called, name: str, ahead: Collection[str]) -> None:
    sheet, old = called.sheet, " or ".join(dict.fromkeys(names_of(called.sheet.service)))
    where = "" if called.by and not set(ahead) & set(called.by) else PAGE
    if sheet.wanting:
        sheet.note("port", LATER.format(new=name, old=old, where=where))
    else:
        sheet.options["aliases"] = [name]
        sheet.note("aliases", CALL.format(who=_who(called.by, ahead), old=old, new=name, where=where))


def _who(by: list[str], ahead: Collection[str]) -> str:
    if not by:
        return f"{' and '.join(ahead) or 'others'} may call"
    listed = by if len(by) <= LISTED else [*by[: LISTED - 1], f"{len(by) - LISTED + 1} more"]
    return f"{' and '.join(listed)} call{'' if by[1:] else 's'}"


def _unreachable(draft: Draft, called: list[Sheet]) -> Iterator[Left]:
    for sheet in (*draft.processes.values(), *([draft.migrate] if draft.migrate else [])):
        if sheet.called and not any(sheet is each for each in called):
            yield Left(sheet.name, "networks", sheet.mark("networks").line, NOBODY)
