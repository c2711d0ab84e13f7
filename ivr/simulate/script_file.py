"""Reading a dialogue script from YAML; a mistake is one line with file, line, key path and cure.

Theory of operation: `read_document` gives plain text, lists and mappings with their lines; each
step is checked against the model of its verb, so that a mistake is reported for the step that
was meant and not for every kind of step that it is not; the rest of the file is checked against
`Script`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ivr.simulate.script import (
    INPUT_OF_VERB,
    STEP_OF_VERB,
    BargeIn,
    CallerVoice,
    DropLine,
    Expect,
    ExpectedTurn,
    HangUp,
    LineQuality,
    Noise,
    Pause,
    Script,
    Step,
    WaitPrompt,
    Wav,
)
from ivr.simulate.script_lookups import RESULTS, ExpectedLookup, StubbedLookup
from ivr.simulate.script_yaml import Document, Place, Value, read_document

_BARE: Final[dict[str, type[WaitPrompt | HangUp | DropLine]]] = {
    "wait_prompt": WaitPrompt,
    "hang_up": HangUp,
    "drop_line": DropLine,
}
SCRIPT_SUFFIX: Final = ".call.yaml"

Model = TypeVar("Model", bound=BaseModel)


def load_script(path: Path) -> Script:
    """Read a script file.

    Args:
        path: a YAML file as described in `ivr.simulate.script`.

    Returns:
        The script, checked: every `wav` file exists. Its name is the file name without suffixes.

    Raises:
        ConfigError: the file is wrong; the message has file, line, key path and cure.
    """
    document = read_document(path)
    top = document.value
    if not isinstance(top, dict):
        raise document.error((), "a script is a mapping with at least the key steps")
    _refuse_unknown(top, set(Script.model_fields) - {"name", "directory"}, (), document)
    flow = top.get("flow")
    if isinstance(flow, str) and "." in flow and not (file := path.parent / flow).is_file():
        raise document.error(("flow",), f"no file {file}; paths start at the script")
    steps = top.get("steps")
    if not isinstance(steps, list) or not steps:
        raise document.error(("steps",) if "steps" in top else (), "steps must be a list of steps")
    fields: dict[str, object] = {**top, "name": path.name.split(".")[0], "directory": path.parent}
    fields["expect"] = _expand(top.get("expect", {}), document)
    fields["lookups"] = _read_lookups(top.get("lookups", {}), document)
    fields["steps"] = tuple(
        _read_step(step, ("steps", index), document) for index, step in enumerate(steps)
    )
    return _validate(Script, fields, (), document)


def _read_lookups(value: Value, document: Document) -> dict[str, tuple[StubbedLookup, ...]]:
    """What lookups answer: one answer a step, or a list of them."""
    if not isinstance(value, dict):
        raise document.error(("lookups",), f"write STEP: and one of {', '.join(RESULTS)}")
    lookups = {}
    for step, given in value.items():
        place: Place = ("lookups", step)
        if isinstance(given, list) and given:
            answers = [_read_answer(one, (*place, n), document) for n, one in enumerate(given)]
        else:
            answers = [_read_answer(given, place, document)]
        lookups[step] = tuple(answers)
    return lookups


def _read_answer(value: Value, place: Place, document: Document) -> StubbedLookup:
    """``missing``, ``{failed: , after_s: 2}``, ``{found: {name: value}}``."""
    if isinstance(value, str):
        value = {value: ""}
    if not isinstance(value, dict):
        raise document.error(place, f"an answer is one of {', '.join(RESULTS)}")
    _refuse_unknown(value, {*RESULTS, "after_s"}, place, document)
    results = [key for key in value if key in RESULTS]
    if len(results) != 1:
        raise document.error(place, f"an answer is one of {', '.join(RESULTS)}, and only one")
    result = results[0]
    values = value[result] or {}
    if not isinstance(values, dict) or (values and result != "found"):
        cure = "write found: {NAME: VALUE}" if result == "found" else f"write {result} alone"
        raise document.error((*place, result), f"takes no such value; {cure}")
    for name, text in values.items():
        if not isinstance(text, str):
            raise document.error((*place, result, name), "must be text, not a list or a mapping")
    fields: dict[str, object] = {"result": result, "values": values}
    if "after_s" in value:
        fields["after_s"] = value["after_s"]
    return _validate(StubbedLookup, fields, place, document)


def _read_expected_lookup(value: Value, place: Place, document: Document) -> ExpectedLookup:
    """``STEP`` or ``{STEP: found}``."""
    if isinstance(value, str):
        return ExpectedLookup(step=value)
    if not isinstance(value, dict) or len(value) != 1:
        raise document.error(place, "write STEP, or {STEP: RESULT}")
    ((step, result),) = value.items()
    if result not in RESULTS:
        raise document.error((*place, step), f"a result is one of {', '.join(RESULTS)}")
    return _validate(ExpectedLookup, {"step": step, "result": result}, place, document)


def _expand(expect: Value, document: Document) -> object:
    """A turn may be written as its cause alone, and one text for a list of texts."""
    if not isinstance(expect, dict):
        return expect
    expanded: dict[str, object] = dict(expect)
    for key in ("says", "never_says"):
        if isinstance(text := expect.get(key), str):
            expanded[key] = [text]
    turns = expect.get("turns")
    if isinstance(turns, list):
        expanded["turns"] = [{"cause": turn} if isinstance(turn, str) else turn for turn in turns]
    lookups = expect.get("lookups")
    if isinstance(lookups, list):
        expanded["lookups"] = [
            _read_expected_lookup(lookup, ("expect", "lookups", n), document)
            for n, lookup in enumerate(lookups)
        ]
    return expanded


def _read_step(value: Value, place: Place, document: Document) -> Step:
    """One step of the list."""
    if isinstance(value, str):
        value = {value: ""}
    if not isinstance(value, dict) or not value:
        raise document.error(place, f"a step is one of {', '.join(STEP_OF_VERB)}")
    verbs = [key for key in value if key in STEP_OF_VERB]
    if not verbs:
        _refuse_unknown(value, STEP_OF_VERB, place, document)
    if len(verbs) > 1:
        cure = "make them two steps"
        raise document.error(place, f"a step has one verb, not {' and '.join(verbs)}; {cure}")
    verb = verbs[0]
    if verb == "pause_s":
        return _validate(Pause, value, place, document)
    if verb in INPUT_OF_VERB:
        step = _validate(INPUT_OF_VERB[verb], value, place, document)
        if isinstance(step, Wav) and not (file := document.path.parent / step.wav).is_file():
            raise document.error((*place, "wav"), f"no file {file}; paths start at the script")
        return step
    _refuse_unknown(value, {verb}, place, document)
    if verb == "barge_in":
        return _read_barge_in(value[verb], (*place, verb), document)
    return _read_bare(verb, value[verb], (*place, verb), document)


def _read_bare(verb: str, options: Value, place: Place, document: Document) -> Step:
    """`wait_prompt`, `hang_up`, `drop_line`: alone, or ``wait_prompt: {timeout_s: 5}``."""
    kind = _BARE[verb]
    allowed = set(kind.model_fields) - {verb}
    if options == "":
        return kind()
    if not isinstance(options, dict) or not allowed:
        raise document.error(place, f"takes no value; write {verb} alone")
    _refuse_unknown(options, allowed, place, document)
    return _validate(kind, options, place, document)


def _read_barge_in(options: Value, place: Place, document: Document) -> BargeIn:
    """``barge_in: {after_s: 1.0, say: ...}``, with the options of say, wav or keys."""
    if not isinstance(options, dict) or "after_s" not in options:
        raise document.error(place, "write barge_in: {after_s: SECONDS, say: TEXT} (or wav, keys)")
    answer = {key: value for key, value in options.items() if key != "after_s"}
    if not any(verb in answer for verb in INPUT_OF_VERB):
        raise document.error(place, f"needs one of {', '.join(INPUT_OF_VERB)}")
    fields = {"after_s": options["after_s"], "input": _read_step(answer, place, document)}
    return _validate(BargeIn, fields, place, document)


def _validate(kind: type[Model], value: object, place: Place, document: Document) -> Model:
    """Check `value` against a model; the first mistake becomes a `ConfigError`."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise document.error((*place, *first["loc"]), _problem(first, kind)) from error


def _problem(error: ErrorDetails, kind: type[BaseModel]) -> str:
    """What is wrong, in words, with the nearest known key or the allowed values."""
    location = error["loc"]
    if error["type"] == "extra_forbidden":
        inside: dict[str, type[BaseModel]] = {
            "caller": CallerVoice,
            "line": LineQuality,
            "expect": Expect,
        }
        fields = inside.get(str(location[0]), kind).model_fields
        if "noise" in location:
            fields = Noise.model_fields
        if "turns" in location:
            fields = ExpectedTurn.model_fields
        return _unknown(str(location[-1]), fields)
    if error["type"] == "missing":
        return "is missing"
    if error["type"] in ("model_type", "dict_type"):
        return "must be a mapping (key: value)"
    if error["type"] == "string_type":
        return "must be text, not a list or a mapping"
    message = error["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _refuse_unknown(
    mapping: dict[str, Value], known: Iterable[str], place: Place, document: Document
) -> None:
    """Raise a `ConfigError` for the first key that is not known."""
    names = sorted(known)
    for key in mapping:
        if key not in names:
            raise document.error((*place, key), _unknown(key, names))


def _unknown(key: str, known: Iterable[str]) -> str:
    """The complaint about an unknown key, with the nearest known one."""
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return (
        f"unknown key; did you mean {near[0]}?" if near else f"unknown key; use {', '.join(names)}"
    )
