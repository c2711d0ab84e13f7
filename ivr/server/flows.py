"""The flows that answer calls, by name, and their files, read anew when they change.

Theory of operation: `FlowFiles` reads and checks files, in a thread; what it has read is a `Table`,
which is never changed. `Flows` is what the handlers look at: one table, swapped for another in one
step. A call takes a `Served` out of it when it begins and keeps that to its end, whatever is
swapped meanwhile.

At the start a wrong file is an error. Later it is not: a file that cannot be read, is wrong, or has
a recording that cannot be decoded, leaves the version before it in place, and is told by
`Table.broken`. A flow's prompts are rendered before it is swapped in, so that no caller waits for
them.

`settings.flow` is the default; beside it stands every ``*.yaml`` of `settings.flows_dir`, without
its subfolders: what only other flows call lives there. So does, in effect, a flow that needs values
from its caller: a telephone call brings none, so it answers no call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ivr.config import Settings
from ivr.errors import ConfigError, FlowError, IvrError
from ivr.flow.schema import Flow, load_flow
from ivr.lookups.service import Lookups
from ivr.records.protection import Keyring
from ivr.server.journal import Keeping

_GLOB: Final = "*.yaml"
_SCRIPT_SUFFIX: Final = ".call.yaml"  # a simulated call's script, beside the flow that it calls
_VERSION_DIGITS: Final = 12  # hexadecimal: tells the versions of one flow apart

_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, eq=False, slots=True)
class Served:
    """A flow as calls follow it.

    Attributes:
        flow: its steps.
        keeping: how its values are kept.
        file: where it was read from; ``None`` for one that was not.
        version: a digest of all that shapes a call: the flow, those it calls, its lists.
    """

    flow: Flow
    keeping: Keeping
    file: Path | None = None
    version: str = ""

    @classmethod
    def of(cls, flow: Flow, keyring: Keyring, file: Path | None = None) -> Served:
        """A flow with what belongs to it.

        Raises:
            ConfigError: it stores values with a key, or a package, that is not there.
        """
        return cls(flow, Keeping(flow, keyring), file, flow_version(flow))

    @property
    def name(self) -> str:
        """The flow's own name."""
        return self.flow.flow


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """All flows at one time.

    Attributes:
        default: answers calls that name none.
        flows: by name, the default among them.
        broken: files whose newest state is not served, and what is wrong with each.
    """

    default: Served
    flows: Mapping[str, Served]
    broken: Mapping[str, str] = field(default_factory=dict)


class Flows:
    """The flows that answer calls; used from the event loop only.

    Args:
        table: to begin with.

    State: the table, until the next `swap`.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def of(cls, *flows: Flow, keyring: Keyring | None = None) -> Flows:
        """Flows that come from no file, the first the default.

        Raises:
            ConfigError: as `Served.of`.
        """
        served = [Served.of(flow, keyring or Keyring()) for flow in flows]
        return cls(Table(served[0], {each.name: each for each in served}))

    @property
    def default(self) -> Served:
        """The flow that answers a call that names none."""
        return self._table.default

    @property
    def broken(self) -> Mapping[str, str]:
        """Files whose newest state is not served, and what is wrong with each."""
        return MappingProxyType(dict(self._table.broken))

    def names(self) -> tuple[str, ...]:
        """The names of all flows, sorted."""
        return tuple(sorted(self._table.flows))

    def served(self, name: str | None) -> Served | None:
        """The flow of this name as calls follow it; ``None`` as the name is the default."""
        return self.default if name is None else self._table.flows.get(name)

    def get(self, name: str) -> Flow | None:
        """The flow of this name."""
        served = self._table.flows.get(name)
        return served.flow if served is not None else None

    def swap(self, table: Table) -> tuple[str, ...]:
        """Take another table; calls that are under way keep theirs.

        Returns:
            The names of the flows that are new, gone or of another version.
        """
        before, self._table = self._table.flows, table
        return tuple(
            sorted(
                name
                for name in before.keys() | table.flows.keys()
                if before.get(name) is not table.flows.get(name)
            )
        )


class FlowFiles:
    """The files of the flows. Reading takes time: call it in a thread, one call at a time.

    Args:
        settings: ``flow``, ``flows_dir``, and the keys of ``records``.
        warm: renders what a flow says; called before the flow is served.

    State: what was read last, and how the files looked then.
    """

    def __init__(self, settings: Settings, warm: Callable[[Flow], None]) -> None:
        keys = settings.records.keys
        self._keyring = Keyring.parse(keys.get_secret_value() if keys is not None else None)
        self._default = settings.flow
        self._folder = settings.flows_dir
        self._warm = warm
        self._lookups = Lookups(settings.lookups)  # asks nothing: it knows what may be asked
        self._read: dict[Path, Served] = {}
        self._files: frozenset[Path] = frozenset()
        self._broken: dict[str, str] = {}
        self._stamps: dict[Path, _Stamp] = {}
        self._seen: dict[Path, _Stamp] = {}

    def load(self) -> Table:
        """Read everything, at the start.

        Raises:
            FlowError: a flow is wrong, or two have one name.
            ConfigError: the folder is none, or a flow wants what is not configured or allowed.
            AudioError: a recording cannot be decoded.
        """
        if self._folder is not None and not self._folder.is_dir():
            raise ConfigError(f"flows_dir: {self._folder} is no folder; create it, or set null")
        return self._load(strict=True)

    def reload(self) -> Table:
        """Read everything again; what is wrong stays as it was, and is told in the table."""
        return self._load(strict=False)

    def changed(self) -> bool:
        """Whether `reload` is due: a file changed and has been left alone since the last look.

        A broken flow is always due, since what would mend it may be a file that nobody knows of.
        """
        stamps = self._look(self._files)
        steady, self._seen = stamps == self._seen, stamps
        return steady and (stamps != self._stamps or bool(self._broken))

    def _load(self, *, strict: bool) -> Table:
        self._stamps = self._seen = self._look(self._files)
        made: dict[Path, Served] = {}
        flows: dict[str, Served] = {}
        files: set[Path] = set()
        broken: dict[str, str] = {}
        for path in self._paths():
            files.add(path)
            try:
                served = self._serve(path, files)
                _refuse_second(served, flows)
            except IvrError as error:
                if strict:
                    raise
                broken[path.name] = str(error)
                served = self._read.get(path)
            if served is not None and served.name not in flows:
                made[path] = flows[served.name] = served
                files.update(served.flow.files)
        self._read, self._broken = made, broken
        if files != self._files:  # what is new among them has not been looked at
            self._files = frozenset(files)
            self._stamps = self._seen = {**self._look(self._files), **self._stamps}
        return Table(made[self._default], flows, broken)

    def _serve(self, path: Path, files: set[Path]) -> Served | None:
        """The flow of a file; the same object as before where nothing of it changed."""
        flow = load_flow(path)
        files.update(flow.files)
        if open_variables := [name for name, text in flow.variables.items() if text is None]:
            if path == self._default:
                raise ConfigError(
                    f"{path}: variables: {', '.join(open_variables)}: a call brings no value for "
                    "it; give it a text in the file"
                )
            return None
        before = self._read.get(path)
        if before is not None and before.version == flow_version(flow):
            return before
        self._lookups.check(flow)
        served = Served.of(flow, self._keyring, path)
        self._warm(flow)
        return served

    def _paths(self) -> list[Path]:
        """The default's file, then the folder's others by name."""
        found = sorted(self._folder.glob(_GLOB)) if self._folder is not None else []
        default = self._default.resolve()
        return [
            self._default,
            *(
                path
                for path in found
                if not path.name.endswith(_SCRIPT_SUFFIX) and path.resolve() != default
            ),
        ]

    def _look(self, files: Iterable[Path]) -> dict[Path, _Stamp]:
        """How the files look now, those of the folder that are not known yet among them."""
        return {path: _stamp(path) for path in {*files, *self._paths()}}


def _refuse_second(served: Served | None, flows: Mapping[str, Served]) -> None:
    if served is not None and served.name in flows:
        raise FlowError(
            f'{served.file}: {flows[served.name].file} is called "{served.name}" as well; give one '
            "of them another name"
        )


def flow_version(flow: Flow) -> str:
    """A digest of all that shapes a call: the flow, those it calls, its lists."""
    # The grammars name their lists by digest, and called flows are part of the steps.
    text = flow.model_dump_json(by_alias=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_DIGITS]


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
