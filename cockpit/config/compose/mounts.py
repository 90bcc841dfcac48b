"""Volumes, bind mounts and what Compose mounts as files, in the short form."""

from __future__ import annotations

import os.path
from pathlib import Path

from cockpit.config.compose.sheet import Sheet
from cockpit.config.compose.values import Entries, entries, flag, items, size, text
from cockpit.config.problems import Mark
from cockpit.config.tree import Mapping, Node

ANONYMOUS = "a volume without a name would be a new, empty one in each release; give it a name, NAME:/path"
HARMLESS = {"rw", "cached", "delegated", "consistent"}  # the last three change nothing on Linux
OVERLAY = (
    "it lays a directory of this machine over the image's code: every release would run what lies there, "
    "not what was built"
)


def volumes(node: Node, sheet: Sheet) -> None:
    for index, item in enumerate(items(node)):
        key = f"volumes[{index}]"
        if isinstance(item, Mapping):
            _long(entries(item), item.mark, key, sheet)
        else:
            _short(text(item), item.mark, key, sheet)


def files(node: Node, sheet: Sheet, section: str, where: str) -> None:
    """Secrets and configs that are files of the machine: Compose mounts those as they are, and so do we."""
    for index, item in enumerate(items(node)):
        key = f"{section}[{index}]"
        inner: Entries = entries(item) if isinstance(item, Mapping) else {"source": (item.mark, item)}
        source = text(inner["source"][1]) if "source" in inner else ""
        file = sheet.project.files.get(f"{section}.{source}")
        if file is None:
            sheet.leave(key, item.mark, "only what is a file of this machine is mounted")
            continue
        target = text(inner["target"][1]) if "target" in inner else source
        _mount(sheet, item.mark, os.path.normpath(file), os.path.join(where, target), read_only=True)
        _leave_rest(inner, {"source", "target"}, key, sheet, "the file's own owner and mode hold")


def _short(said: str, mark: Mark, key: str, sheet: Sheet) -> None:
    source, _, rest = said.partition(":")
    target, _, mode = rest.partition(":")
    modes = set(filter(None, mode.split(",")))
    for each in sorted(modes - HARMLESS - {"ro"}):
        sheet.leave(f"{key}:{each}", mark, "there is no such mode here")
    if not target:
        sheet.leave(key, mark, ANONYMOUS)
    else:
        bind = source.startswith(("/", ".", "~"))
        _add(sheet, key, mark, source=source, target=target, bind=bind, read_only="ro" in modes)


def _long(keys: Entries, mark: Mark, key: str, sheet: Sheet) -> None:
    kind = text(keys["type"][1]) if "type" in keys else "volume"
    target = text(keys["target"][1]) if "target" in keys else ""
    inner = entries(keys[kind][1]) if kind in keys else {}
    if kind == "tmpfs":
        _tmpfs(keys, inner, target, key, sheet)
    elif kind not in {"volume", "bind"} or not target or "subpath" in inner:
        sheet.leave(key, mark, "only a whole volume, a bind mount or a tmpfs, each with a target")
    elif "source" not in keys:
        sheet.leave(key, mark, ANONYMOUS)
    else:
        read_only = "read_only" in keys and flag(keys["read_only"][1])
        _add(sheet, key, mark, source=text(keys["source"][1]), target=target, bind=kind == "bind", read_only=read_only)
        _leave_rest(keys, {"type", "source", "target", "read_only", kind}, key, sheet)
        _leave_rest(inner, set(), f"{key}.{kind}", sheet)


def _tmpfs(keys: Entries, inner: Entries, target: str, key: str, sheet: Sheet) -> None:
    options = [f"size={size(inner['size'][1])}"] if "size" in inner else []
    options += [f"mode={text(inner['mode'][1])}"] if "mode" in inner else []
    said = f"{target}:{','.join(options)}" if options else target
    sheet.options.setdefault("tmpfs", []).append(said)
    _leave_rest(keys, {"type", "target", "tmpfs"}, key, sheet)
    _leave_rest(inner, {"size", "mode"}, f"{key}.tmpfs", sheet)


def _add(sheet: Sheet, key: str, mark: Mark, *, source: str, target: str, bind: bool, read_only: bool) -> None:
    if not bind:
        _mount(sheet, mark, sheet.project.volume(source), target, read_only=read_only)
        return
    source, built = sheet.absolute(source), _built(sheet)
    if built and (Path(source) == built or Path(source) in built.parents):
        sheet.leave(key, mark, OVERLAY)
        return
    _mount(sheet, mark, source, target, read_only=read_only)
    if built and built in Path(source).parents and not read_only:
        folder = Path(source).relative_to(built)
        sheet.note("volumes", f"{folder} is a directory of the repository: right for data, wrong for code")


def _mount(sheet: Sheet, mark: Mark, source: str, target: str, *, read_only: bool) -> None:
    said = f"{source}:{target}{':ro' if read_only else ''}"
    mounted: list[str] = sheet.options.setdefault("volumes", [])
    for other in [each for each in mounted if each.split(":")[1:2] == [target]]:
        mounted.remove(other)
        sheet.leave(f"volumes: {other}", mark, f"{said} has the same target and comes later")
    mounted.append(said)


def _built(sheet: Sheet) -> Path | None:
    """The directory that the image is built from."""
    context = sheet.service.node("build", "context") or sheet.service.node("build")
    return None if context is None or isinstance(context, Mapping) else Path(sheet.absolute(text(context)))


def _leave_rest(keys: Entries, carried: set[str], key: str, sheet: Sheet, why: str = "") -> None:
    for name, (mark, _) in keys.items():
        if name not in carried and not name.startswith("x-"):
            sheet.leave(f"{key}.{name}", mark, why or "there is no such option of a volume here")
