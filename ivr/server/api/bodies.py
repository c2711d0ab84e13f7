"""What clients send and are answered, checked by the models."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from ivr.server.problems import Problem

_M = TypeVar("_M", bound=BaseModel)


def checked(model: type[_M], values: Any) -> _M:
    """What a client sent, as a model.

    Raises:
        Problem: 400, with what is wrong by name; never the value itself.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = [
            {"name": ".".join(map(str, item["loc"])), "error": item["msg"]}
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "; ".join(f"{item['name']}: {item['error']}" for item in wrong)
        raise Problem(400, "bad-parameter", detail, errors=wrong) from None


def query(model: type[_M], request: web.Request) -> _M:
    """The parameters behind the question mark.

    Raises:
        Problem: 400, one is unknown, wrong, or given twice.
    """
    if len(request.query) != len(set(request.query)):
        raise Problem(400, "bad-parameter", "a parameter is given twice")
    return checked(model, dict(request.query))


def no_query(request: web.Request) -> None:
    """Refuse parameters where there are none.

    Raises:
        Problem: 400.
    """
    if request.query:
        raise Problem(400, "bad-parameter", "this address takes no parameters")


async def read_json(request: web.Request) -> Any:
    """The JSON in a body.

    Raises:
        Problem: 400, it is none; 415, it does not say that it is.
        HTTPRequestEntityTooLarge: it is longer than bodies of this server may be.
    """
    if request.content_type != "application/json":
        raise Problem(415, "unsupported-media-type", "send JSON, as application/json")
    try:
        return await request.json()
    except (ValueError, RecursionError, LookupError):
        raise Problem(400, "bad-json", "the body is not JSON") from None


def reply(answer: BaseModel, status: int = 200, **headers: str) -> web.Response:
    """An answer; nothing of it belongs in a browser's or a proxy's cache."""
    return web.json_response(
        text=answer.model_dump_json(),
        status=status,
        headers={"Cache-Control": "no-store", **headers},
    )
