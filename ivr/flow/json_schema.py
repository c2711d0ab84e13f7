"""The JSON Schema of flow files, for editors: completion, descriptions, mistakes while typing.

It is made of the models that read the files, so it cannot disagree with them on a key. What JSON
Schema cannot say (that a step exists, that a path ends) `ivr.flow.check` does.
"""

from __future__ import annotations

import json
from typing import Any

from ivr.flow.model import Flow

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


def flow_schema() -> dict[str, Any]:
    """The schema as data."""
    schema = _tidy(Flow.model_json_schema())
    anything = schema["properties"]["variables"]["patternProperties"]
    for name in anything:  # the one place where nothing may stand after the colon
        anything[name] = {"type": ["string", "null"]}
    return {"$schema": _DIALECT, **schema, "title": "Call flow"}


def _tidy(schema: Any) -> Any:
    """What a file may say: a key that is left out is no null, and a name must look like one."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema if item != _NULL]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not _is_noise(key, value)}
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    choices = tidy.get("anyOf", ())
    if len(choices) == 1:
        del tidy["anyOf"]
        tidy = {**choices[0], **tidy}
    return tidy


def _is_noise(key: str, value: object) -> bool:
    """Titles repeat the keys; a default of null says no more than that the key is optional."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def flow_schema_text() -> str:
    """The schema as it is published: indented, ending with a line break."""
    return json.dumps(flow_schema(), indent=2) + "\n"
