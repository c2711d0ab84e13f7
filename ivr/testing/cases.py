"""Which simulated calls a test runs, and which flow answers each.

Theory of operation: a script is a ``*.call.yaml`` file. It may name its flow (``flow: FILE``,
relative to the script, or ``flow: NAME``, to be found in its folder or in a folder ``flows`` beside
it or above it); one that does not belongs to the one flow in its folder. Folders are searched with
all that is in them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.errors import ConfigError
from ivr.flow.schema import Flow, load_flow
from ivr.simulate.script import Script
from ivr.simulate.script_file import SCRIPT_SUFFIX, load_script
from ivr.simulate.script_yaml import read_document

_YAML: Final = (".yaml", ".yml")
_LEVELS: Final = 3  # folders above a script that are looked into for its flow


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One call to be placed.

    Attributes:
        name: for reports; unique.
        file: of the script.
        script: what the caller does.
        flow_file: of the flow that answers.
        flow: that answers; the same object for all cases of one file.
    """

    name: str
    file: Path
    script: Script
    flow_file: Path
    flow: Flow


def find_cases(
    places: Sequence[Path], only: str | None = None, *, flow: Path | None = None
) -> list[Case]:
    """The calls of folders, flows and scripts.

    Args:
        places: folders, searched to the bottom; flow files, whose scripts stand beside them; and
            scripts.
        only: keep those whose name contains this, or matches it where it has * or ?.
        flow: the file of the flow that answers all of them, whatever their scripts say.

    Returns:
        The cases, by name.

    Raises:
        ConfigError: a place is missing, a script or flow is wrong, a script has no flow, or no
            script is left; the message says where and what to do.
    """
    files: dict[Path, None] = {}
    for place in places:
        files.update(dict.fromkeys(_scripts_at(place)))
    if not files:
        where = ", ".join(str(place) for place in places)
        raise ConfigError(f"{where}: no *{SCRIPT_SUFFIX} here; write one beside the flow")
    names = _names(list(files))
    flows: dict[Path, Flow] = {}
    cases = []
    for file in files:
        if not _wanted(names[file], only):
            continue
        script = load_script(file)
        flow_file = flow or _flow_of(file, script)
        if flow_file.resolve() not in flows:
            flows[flow_file.resolve()] = load_flow(flow_file)
        answers = flows[flow_file.resolve()]
        cases.append(Case(names[file], file, script, flow_file, answers))
    if not cases:
        known = ", ".join(sorted(names.values()))
        raise ConfigError(f"--only {only}: none of the scripts is called so; there are {known}")
    return sorted(cases, key=lambda case: case.name)


def _scripts_at(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.rglob(f"*{SCRIPT_SUFFIX}"))
    if not place.is_file():
        raise ConfigError(f"{place}: no such file or folder; check the path")
    if place.name.endswith(SCRIPT_SUFFIX):
        return [place]
    beside = sorted(place.parent.glob(f"*{SCRIPT_SUFFIX}"))
    return [script for script in beside if _names_flow(script, place)]


def _names_flow(script: Path, flow: Path) -> bool:
    """Whether a script beside a flow belongs to it."""
    top = read_document(script).value
    named = top.get("flow") if isinstance(top, dict) else None
    if isinstance(named, str):
        found = script.parent / named if "." in named else _flow_called(named, script.parent)
        return found is not None and found.resolve() == flow.resolve()
    return len(_flows_in(flow.parent)) == 1


def _names(files: list[Path]) -> dict[Path, str]:
    """The shortest ends of the paths that tell the files apart, without the suffix."""
    names: dict[Path, str] = {}
    for file in files:
        parts = file.resolve().parts
        for n in range(1, len(parts) + 1):
            ends = [other.resolve().parts[-n:] for other in files]
            if ends.count(parts[-n:]) == 1:
                break
        names[file] = "/".join(parts[-n:]).removesuffix(SCRIPT_SUFFIX)
    return names


def _wanted(name: str, only: str | None) -> bool:
    if only is None:
        return True
    return fnmatch.fnmatchcase(name, only) if set(only) & set("*?[") else only in name


def _flow_of(file: Path, script: Script) -> Path:
    if script.flow_name is not None:
        called = _flow_called(script.flow_name, file.parent)
        if called is None:
            cure = f"no flow {script.flow_name} here, nor in a folder flows above"
            raise ConfigError(f"{file}: {cure}; write its file: flow: FILE.yaml")
        return called
    if script.flow is not None:
        return script.directory / script.flow
    flows = _flows_in(file.parent)
    if len(flows) == 1:
        return flows[0]
    found = f"{', '.join(flow.name for flow in flows)} are here" if flows else "there is none here"
    raise ConfigError(f"{file}: which flow answers? {found}; write flow: FILE into the script")


def _flows_in(folder: Path) -> list[Path]:
    """The files in a folder that are flows, by their looks: scripts and configuration are not."""
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in _YAML and not file.name.endswith(SCRIPT_SUFFIX) and _looks_like_flow(file)
    ]


def _flow_called(name: str, folder: Path) -> Path | None:
    """The flow of a name in a folder, or in a folder ``flows`` beside it or above it."""
    above = [folder.resolve(), *folder.resolve().parents][: _LEVELS + 1]
    for place in (folder, *(parent / "flows" for parent in above)):
        for file in _flows_in(place) if place.is_dir() else ():
            lines = file.read_text(encoding="utf-8").splitlines()
            if any(re.fullmatch(rf"flow:\s*{name}\s*(#.*)?", line) for line in lines):
                return file
    return None


def _looks_like_flow(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    keys = {line.partition(":")[0] for line in lines}
    return {"flow", "steps"} <= keys
