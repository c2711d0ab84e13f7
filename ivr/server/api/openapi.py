"""The API's description, OpenAPI 3.1, made from its table of operations and its models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ivr import __version__
from ivr.records.keys import SCOPES
from ivr.server.api.models import ProblemDocument
from ivr.server.api.operation import Operation
from ivr.server.problems import CONTENT_TYPE

_REFERENCE: Final = "#/components/schemas/{model}"
_ALWAYS: Final = (400, 401, 403, 429, 503)
_RECORDING: Final = {"type": "string", "format": "binary"}
_MEANINGS: Final = {
    400: "The request is wrong; `detail` names what.",
    401: "No key was shown, or none that is good.",
    403: "The key has not the scope, or the address is not allowed.",
    404: "There is none, or the key may not see it.",
    408: "The body took too long.",
    409: "A request with this Idempotency-Key is under way.",
    413: "It is too large.",
    415: "It is of a kind that is not taken.",
    422: "It was understood and cannot be used.",
    429: "Too many requests; `Retry-After` says when the next may come.",
    501: "The server is not configured for it.",
    502: "The provider refused, or did not answer as it should.",
    503: "No capacity, or the database does not answer; try again.",
    504: "The provider did not answer in time.",
}
_TEXT: Final = """\
Numbers heard, over HTTP. Every address wants a key, as `Authorization: Bearer KEY` or \
`X-Api-Key: KEY`; `ivr keys create` makes one. Every error is a problem document (RFC 9457), \
`application/problem+json`. Answers carry `X-Request-Id`, `RateLimit` and `RateLimit-Policy`."""


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of a table of operations."""
    operations = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    scopes = "\n".join(f"- `{name}`: {text}" for name, text in SCOPES.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ivr",
            "version": __version__,
            "description": f"{_TEXT}\n\nScopes of keys:\n\n{scopes}\n",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
        "security": [{"bearer": []}, {"header": []}],
    }


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.text}\n\nNeeds the scope `{operation.scope}`.".strip(),
        "parameters": list(_parameters(operation)),
        "responses": dict(_answers(operation)),
    }
    if operation.bodies:
        content = {
            kind: {"schema": _RECORDING if model is None else _schema(model, "validation")}
            for kind, model in operation.bodies.items()
        }
        described["requestBody"] = {"required": True, "content": content}
        if "multipart/form-data" in content:
            content["multipart/form-data"]["encoding"] = {"file": {"contentType": "audio/*"}}
    return described


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name, text in operation.path_parameters.items():
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
    for name, text in operation.header_parameters.items():
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        yield {"name": name, "in": "header", "description": text, "schema": schema}
    if operation.query is not None:
        properties = operation.query.model_json_schema(ref_template=_REFERENCE)["properties"]
        for name, schema in properties.items():
            description = schema.pop("description", "")
            schema.pop("title", None)
            yield {"name": name, "in": "query", "description": description, "schema": schema}


def _answers(operation: Operation) -> Iterable[tuple[str, dict[str, Any]]]:
    for status, kind in operation.answers.items():
        schema = _schema(kind, "serialization")
        yield (
            str(status),
            {"description": "As asked.", "content": {"application/json": {"schema": schema}}},
        )
    problem = {CONTENT_TYPE: {"schema": _schema(ProblemDocument, "serialization")}}
    for status in sorted({*_ALWAYS, *operation.problems}):
        yield str(status), {"description": _MEANINGS[status], "content": problem}


def _schema(kind: Any, mode: JsonSchemaMode) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=_REFERENCE)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {"$ref": _REFERENCE.format(model=kind.__name__)}
    schema.pop("$defs", None)
    return schema


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    models: set[tuple[type[BaseModel], JsonSchemaMode]] = {(ProblemDocument, "serialization")}
    for operation in operations:
        models |= {(body, "validation") for body in operation.bodies.values() if body is not None}
        for answer in operation.answers.values():
            parts = getattr(answer, "__args__", (answer,))
            models |= {(part, "serialization") for part in parts}
    listed = sorted(models, key=lambda item: item[0].__name__)
    _, schema = models_json_schema(listed, ref_template=_REFERENCE)
    found: dict[str, Any] = schema["$defs"]
    return dict(sorted(found.items()))
