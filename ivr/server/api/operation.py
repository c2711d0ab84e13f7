"""What an address of the API takes and answers: one table for the routes and for OpenAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ExpectHandler = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Attributes:
        method, path: as aiohttp and OpenAPI have them.
        handler: answers it.
        name: its ``operationId``.
        summary: in a few words.
        scope: that a key needs.
        answers: status and model of what it answers when all is well.
        problems: statuses of the errors beside those that every address has.
        text: more about it, Markdown.
        query: its parameters.
        path_parameters: their meaning.
        header_parameters: their meaning; none of them is required.
        bodies: content type and model of what it takes; ``None`` for a recording as it is.
        expect: answers ``Expect: 100-continue``.
    """

    method: str
    path: str
    handler: Handler
    name: str
    summary: str
    scope: str
    answers: Mapping[int, Any]
    problems: tuple[int, ...] = ()
    text: str = ""
    query: type[BaseModel] | None = None
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    header_parameters: Mapping[str, str] = field(default_factory=dict)
    bodies: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    expect: ExpectHandler | None = None

    def route(self) -> web.RouteDef:
        """As aiohttp has it."""
        return web.route(self.method, self.path, self.handler, expect_handler=self.expect)
