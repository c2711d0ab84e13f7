"""Reading a call-flow file: a flow that can be run, or one clear message.

Theory of operation: a file passes three gates, each of which may assume the ones before it. YAML
becomes data with line numbers (`ivr.flow.source`); pydantic models check each key on its own
(`ivr.flow.model`, with `ivr.flow.mistakes` for the words), for which the lists that the file names
are read; flows that it calls are read and put in place (`ivr.flow.subflow`), and `ivr.flow.check`
checks the whole as a graph. A mistake is reported with file, line, key
path and cure. A `Flow` that comes out can be run to its end by `ivr.flow.machine.Dialogue` without
another check.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, Field, ValidationError

from ivr.errors import ConfigError, FlowError
from ivr.flow.check import check_flow
from ivr.flow.lookup import CsvSource
from ivr.flow.mistakes import in_our_words, unknown
from ivr.flow.model import Flow, LookupStep
from ivr.flow.parts import Model, Name
from ivr.flow.source import Source, parse_yaml
from ivr.flow.subflow import expand
from ivr.flow.tables import headings_of
from ivr.grammar.list_file import list_path, read_list
from ivr.grammar.lists import Directory, publish

_EMPTY: Final = (
    'is empty; write something after the colon, in "quotes" where it begins with #, or remove it'
)

__all__ = ["Flow", "load_flow", "parse_flow"]


def load_flow(path: str | Path) -> Flow:
    """Read and check a flow file.

    Raises:
        FlowError: the file cannot be read or is wrong; one line with file, line, key path and cure.
    """
    return _load(Path(path), ())


def _load(path: Path, callers: tuple[Path, ...]) -> Flow:
    """Read a flow that other flows call, the first of them first."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FlowError(
            f"{path}: cannot be read ({reason}); give the path of a flow file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FlowError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error
    flow = _parse(text, str(path), path.parent, (*callers, path.resolve()))
    flow.come_from([path])
    return flow


def parse_flow(text: str, file: str = "flow", folder: Path = Path()) -> Flow:
    """Check a flow given as text.

    Args:
        text: YAML.
        file: what to call it in messages.
        folder: what the paths of its lists are relative to.

    Raises:
        FlowError: as `load_flow`.
    """
    return _parse(text, file, folder, ())


def _parse(text: str, file: str, folder: Path, callers: tuple[Path, ...]) -> Flow:
    """Check a flow; `callers` are the files on the way to it, its own the last."""
    source = parse_yaml(text, file)
    if not isinstance(source.data, dict):
        raise source.error((), 'a flow is made of keys and values; begin with "flow: a_name"')
    empty = [
        source.error(path, _EMPTY) for path in source.empty(source.data) if path[0] != "variables"
    ]
    if empty:
        raise FlowError.of(empty)
    try:
        named = _Lists.model_validate(source.data).lists
        directories = {
            name: _read_list(source, name, place, folder) for name, place in named.items()
        }
        flow = Flow.model_validate(source.data, context=directories)
    except ValidationError as error:
        raise in_our_words(source, error) from None

    def load(step: str, place: str) -> Flow:
        path = folder / place
        if path.resolve() in callers:
            raise source.error(
                ("steps", step, "subflow"), "the flows call one another in a circle; cut it here"
            )
        return _load(path, callers)

    flow.keep(directories.values())
    flow.come_from(list_path(place, folder) for place in named.values())
    flow = _place_tables(flow, source, folder)
    flow = expand(flow, source, load)
    if mistakes := check_flow(flow, source):
        raise FlowError.of(mistakes)
    return flow


def _place_tables(flow: Flow, source: Source, folder: Path) -> Flow:
    """The flow with the full paths of the CSV files that it looks into.

    Raises:
        FlowError: one cannot be read, or has no such column.
    """
    steps = dict(flow.steps)
    wrong: list[FlowError] = []
    for name, step in flow.steps.items():
        if isinstance(step, LookupStep) and isinstance(step.lookup, CsvSource):
            path = (folder / step.lookup.csv).absolute()
            wrong += _check_table(name, step, path, source)
            placed = step.lookup.model_copy(update={"csv": str(path)})
            steps[name] = step.model_copy(update={"lookup": placed})
            flow.come_from([path])
    if wrong:
        raise FlowError.of(wrong)
    return flow.model_copy(update={"steps": steps})


def _check_table(name: str, step: LookupStep, path: Path, source: Source) -> Iterator[FlowError]:
    here = ("steps", name, "lookup", "csv")
    try:
        columns = headings_of(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        yield source.error(here, f"{path} cannot be read ({reason}); give the path of a CSV file")
        return
    except (ValueError, csv.Error):
        cure = "save it as UTF-8, its first line the names of the columns, each once"
        yield source.error(here, f"{path} is no table; {cure}")
        return
    asked = step.lookup.where if isinstance(step.lookup, CsvSource) else {}
    for column in asked:
        if column not in columns:
            place = ("steps", name, "lookup", "where", column)
            yield source.error(place, unknown("column", column, columns))
    for variable, column in step.results.items():
        if column not in columns:
            yield source.error(
                ("steps", name, "results", variable), unknown("column", column, columns)
            )


class _Lists(Model):
    """The lists of a flow, which are read before the grammars that name them."""

    model_config = ConfigDict(extra="ignore")

    lists: dict[Name, str] = Field(default={})


def _read_list(source: Source, name: str, place: str, folder: Path) -> Directory:
    try:
        return publish(name, read_list(place, folder))
    except ConfigError as error:
        raise source.error(("lists", name), str(error)) from error
