"""The JSON Schema of dialogue scripts, for editors: completion, descriptions, mistakes.

Theory of operation: it is made of the models that read the scripts, so it cannot disagree with them
on a key; the short forms that the reader allows (a step that is a word, a turn that is a cause) are
added. The reader takes every scalar as the text that was typed (`ivr.simulate.script_yaml`), so
where it wants text the schema allows what YAML takes for a number or a truth value.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, Final

from pydantic import BaseModel

from ivr.simulate.script import (
    INPUT_OF_VERB,
    STEP_OF_VERB,
    BargeIn,
    CallerVoice,
    Expect,
    ExpectedTurn,
    LineQuality,
    Noise,
    Script,
)
from ivr.simulate.script_lookups import RESULTS, StubbedLookup

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}
_TEXT: Final = {"type": ["string", "number", "boolean"]}
_HIDDEN: Final = ("name", "directory")  # what the reader knows by itself
_BARE: Final = ("wait_prompt", "hang_up", "drop_line")


def script_schema() -> dict[str, Any]:
    """The schema as data."""
    schema = Script.model_json_schema()
    definitions = schema.pop("$defs")
    for model in (CallerVoice, Noise, LineQuality, Expect, ExpectedTurn):
        _describe(definitions[model.__name__], model)
    _describe(schema, Script)
    for name in _HIDDEN:
        schema["properties"].pop(name)
    schema["required"] = ["steps"]
    schema["properties"]["steps"] = {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Step"},
        "description": schema["properties"]["steps"].get("description", ""),
    }
    turn = definitions["ExpectedTurn"]
    definitions["Turn"] = {"anyOf": [turn, {"$ref": "#/$defs/CompletionCause"}]}
    expect = definitions["Expect"]["properties"]
    expect["turns"] = {**expect["turns"], "type": "array", "items": {"$ref": "#/$defs/Turn"}}
    expect["turns"].pop("anyOf", None)
    for key in ("says", "never_says"):
        expect[key] = {
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
            "description": expect[key].get("description", ""),
        }
    result = {"enum": list(RESULTS)}
    expect["lookups"] = {
        "type": "array",
        "items": {"anyOf": [_TEXT, {"type": "object", "additionalProperties": result}]},
        "description": expect["lookups"].get("description", ""),
    }
    definitions["LookupAnswer"] = _answer(definitions)
    answer = {"$ref": "#/$defs/LookupAnswer"}
    schema["properties"]["lookups"] = {
        "type": "object",
        "additionalProperties": {
            "anyOf": [answer, {"type": "array", "minItems": 1, "items": answer}]
        },
        "description": schema["properties"]["lookups"].get("description", ""),
    }
    definitions["Step"] = _step(definitions)
    used = (
        "CallerVoice",
        "Noise",
        "NoiseKind",
        "LineQuality",
        "Expect",
        "Turn",
        "Step",
        "LookupAnswer",
    )
    kept = {name: definitions[name] for name in (*used, "CompletionCause", "InputMode")}
    tidy: dict[str, Any] = _tidy({**schema, "$defs": kept})
    return {"$schema": _DIALECT, **tidy, "title": "Simulated call"}


def _answer(definitions: dict[str, Any]) -> dict[str, Any]:
    """Every answer of a lookup: its result, alone or with options."""
    model = definitions[StubbedLookup.__name__]
    _describe(model, StubbedLookup)
    after, values = model["properties"]["after_s"], model["properties"]["values"]
    nothing = {"enum": ["", None]}
    kinds: list[dict[str, Any]] = [{"enum": list(RESULTS)}]
    for result in RESULTS:
        inside = values if result == "found" else nothing
        kinds.append(_object({result: inside, "after_s": after}, [result]))
    return {"anyOf": kinds, "description": model["description"]}


def _step(definitions: dict[str, Any]) -> dict[str, Any]:
    """Every kind of step: its verb, and the options beside it."""
    kinds: list[dict[str, Any]] = [{"enum": list(_BARE)}]
    answers = []
    for verb, model in STEP_OF_VERB.items():
        kind = definitions[model.__name__]
        _describe(kind, model)
        if verb == "barge_in":
            continue
        if verb in _BARE:
            options = {key: value for key, value in kind["properties"].items() if key != verb}
            inside = {"type": "object", "properties": options, "additionalProperties": False}
            if options:
                kinds.append(_object({verb: inside}, [verb]))
            continue
        kinds.append(_object(kind["properties"], [verb]))
        if verb in INPUT_OF_VERB:
            answers.append(kind["properties"])
    after = definitions[BargeIn.__name__]["properties"]["after_s"]
    into = [_object({"after_s": after, **fields}, ["after_s"]) for fields in answers]
    for choice, verb in zip(into, INPUT_OF_VERB, strict=True):
        choice["required"].append(verb)
    kinds.append(_object({"barge_in": {"anyOf": into}}, ["barge_in"]))
    return {"anyOf": kinds}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Give the keys of a schema what the model's docstring says of them."""
    for name, text in _attributes(model).items():
        if name in schema["properties"]:
            schema["properties"][name]["description"] = text
    schema["description"] = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """The words of a docstring's ``Attributes`` for each name, those of the bases too."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, text = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        for names, words in re.findall(r"^    ([a-z_, ]+): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
            plain = " ".join(words.replace("``", "`").split())
            found |= {name.strip(): plain for name in names.split(",")}
    return found


def _tidy(schema: Any) -> Any:
    """What a file may say: a key that is left out is no null; text may look like a number."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema if item != _NULL]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not _is_noise(key, value)}
    choices = tidy.get("anyOf", ())
    if len(choices) == 1:
        del tidy["anyOf"]
        tidy = {**choices[0], **tidy}
    if tidy.get("type") == "string" and "enum" not in tidy:
        tidy["type"] = _TEXT["type"]
    return tidy


def _is_noise(key: str, value: object) -> bool:
    """Titles repeat the keys; defaults of models are long and say nothing new."""
    if key == "title":
        return isinstance(value, str)
    return key == "default" and (value is None or isinstance(value, dict | list))


def script_schema_text() -> str:
    """The schema as it is published: indented, ending with a line break."""
    return json.dumps(script_schema(), indent=2) + "\n"
