"""A flow as a diagram: what each step and each way is called, and the text for Mermaid.

Theory of operation: the nodes are the steps and the edges those that the checks walk
(`ivr.flow.graph`), so a drawing cannot disagree with what a call does. Failures and the operator
are drawn as broken lines: they lead out of every question and would else hide the way that a call
should take. `ivr.flow.picture` lays the same nodes and edges out as SVG.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ivr.flow.branch import bounds
from ivr.flow.graph import Edge, edges
from ivr.flow.lookup import CallSource, CsvSource, HttpSource, SqlSource
from ivr.flow.model import (
    BranchStep,
    CaptureStep,
    Case,
    ConfirmStep,
    EndStep,
    Flow,
    LookupStep,
    MenuStep,
    MessageStep,
    SetStep,
    Step,
    SubflowStep,
    TransferStep,
)
from ivr.grammar.lists import unpinned

_LONGEST: Final = 44  # characters of a text in a drawing
_SIGNS: Final = {"above": ">", "below": "<", "at_least": ">=", "at_most": "<="}
_ASIDE: Final = ("on_failure", "on_operator", "failed")


class Node(NamedTuple):
    """A step as it is drawn.

    Attributes:
        name: of the step.
        kind: its leading key.
        lines: what to write under the name, each short.
    """

    name: str
    kind: str
    lines: tuple[str, ...]


class Way(NamedTuple):
    """One or several edges from a step to another, drawn as one.

    Attributes:
        origin: the step that it leaves.
        target: the step that it leads to.
        label: when it is taken; empty where it is the only way.
        aside: it is taken by failures or for the operator.
    """

    origin: str
    target: str
    label: str
    aside: bool


def nodes_of(flow: Flow) -> tuple[Node, ...]:
    """Every step, in the order of the file."""
    return tuple(_node(name, step) for name, step in flow.steps.items())


def ways_of(flow: Flow) -> tuple[Way, ...]:
    """Every way; those with the same ends and manner have their labels joined."""
    labels: dict[tuple[str, str, bool], list[str]] = {}
    for edge in edges(flow):
        aside = edge.path[0] in _ASIDE
        found = labels.setdefault((edge.origin, edge.target, aside), [])
        if label := _label(edge):
            found.append(label)
    return tuple(
        Way(origin, target, ", ".join(found), aside)
        for (origin, target, aside), found in labels.items()
    )


def mermaid(flow: Flow) -> str:
    """The flow as a Mermaid flowchart, ending with a line break."""
    lines = ["flowchart TD", *_mermaid_nodes(flow)]
    lines.append(f"  start(( )) --> {_id(flow.start)}")
    for way in ways_of(flow):
        arrow = "-.->" if way.aside else "-->"
        label = f'|"{_escape(way.label)}"|' if way.label else ""
        lines.append(f"  {_id(way.origin)} {arrow}{label} {_id(way.target)}")
    return "\n".join(lines) + "\n"


# Kind -> the brackets that give a node its shape.
_SHAPES: Final = {
    "say": ("[", "]"),
    "capture": ("[/", "/]"),
    "confirm": ("{{", "}}"),
    "menu": ("{{", "}}"),
    "lookup": ("[(", ")]"),
    "transfer": ("([", "])"),
    "record": ("[/", "/]"),
    "set": ("[[", "]]"),
    "branch": ("{", "}"),
    "subflow": ("[[", "]]"),
    "end": ("([", "])"),
}


def _mermaid_nodes(flow: Flow) -> Iterator[str]:
    for node in nodes_of(flow):
        opening, closing = _SHAPES[node.kind]
        text = "<br/>".join(_escape(line) for line in (node.name, *node.lines))
        yield f'  {_id(node.name)}{opening}"{text}"{closing}'


def _id(step: str) -> str:
    """A step's name as an identifier: ``end`` alone would be a word of Mermaid's."""
    return f"step_{step}"


def _escape(text: str) -> str:
    """A text inside quotation marks: Mermaid writes entities with # and ;."""
    return re.sub(r'[#"<>&;{}|`]', lambda found: f"#{ord(found[0])};", text)


def _node(name: str, step: Step) -> Node:  # noqa: PLR0911 - one line a kind
    if isinstance(step, CaptureStep):
        grammar = unpinned(step.grammar).replace("builtin:", "")
        return Node(name, "capture", (_short(step.prompt.text), f"{step.capture}: {grammar}"))
    if isinstance(step, ConfirmStep):
        return Node(name, "confirm", (_short(step.prompt.text),))
    if isinstance(step, MenuStep):
        return Node(name, "menu", (_short(step.prompt.text),))
    if isinstance(step, LookupStep):
        results = (f"gives {', '.join(step.results)}",) if step.results else ()
        return Node(name, "lookup", tuple(map(_short, (_source_text(step), *results))))
    if isinstance(step, TransferStep):
        said = (_short(step.say.text),) if step.say is not None else ()
        return Node(name, "transfer", (*said, f"to {_short(step.transfer)}"))
    if isinstance(step, MessageStep):
        return Node(name, "record", (_short(step.prompt.text), f"message: {step.record}"))
    if isinstance(step, SetStep):
        return Node(name, "set", tuple(_short(f"{key} = {text}") for key, text in step.set.items()))
    if isinstance(step, BranchStep):
        cases = (f"{at}. {case_text(case)}" for at, case in enumerate(step.branch, 1))
        return Node(name, "branch", tuple(cases))
    if isinstance(step, EndStep):
        said = (_short(step.say.text),) if step.say is not None else ()
        return Node(name, "end", (*said, f"end: {step.end}"))
    if isinstance(step, SubflowStep):
        return Node(name, "subflow", (step.subflow,))
    return Node(name, "say", (_short(step.say.text),))


def _label(edge: Edge) -> str:
    """When an edge is taken; a case of a branch by its number, for its text is in the box."""
    key = edge.path[0]
    if key == "menu":
        return str(edge.path[1])
    if key == "branch":
        return str(int(edge.path[1]) + 1)
    return {"next": "", "on_failure": "failure", "on_operator": "operator"}.get(
        str(key), str(key).removeprefix("on_")
    )


def _source_text(step: LookupStep) -> str:
    """Whom a lookup asks, in one line."""
    match step.lookup:
        case HttpSource(http=url, method=method):
            return f"{method} {url}"
        case SqlSource(sql=sql, database=database):
            return f"{database}: {sql}"
        case CsvSource(csv=file):
            return Path(file).name
        case CallSource(call=entry_point):
            return f"{entry_point}()"


def case_text(case: Case) -> str:
    """A case of a branch in a few characters: ``amount > 500 and <= 1000``."""
    tests = []
    if case.empty is not None:
        tests.append("is empty" if case.empty else "is not empty")
    if case.equals is not None:
        tests.append(f"= {case.equals}")
    if case.one_of is not None:
        tests.append(f"in {', '.join(case.one_of)}")
    tests += [f"{_SIGNS[key]} {getattr(case, key):g}" for key in bounds(case)]
    return _short(f"{case.variable} {' and '.join(tests)}")


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3].rstrip() + "..."
