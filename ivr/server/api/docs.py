"""``/v1/openapi.json`` and ``/docs``: the API's description, for machines and for people.

The page is written once, by the server; it has no script and nothing from elsewhere. As a chapter
of the documents:

    python -m ivr.server.api.docs > docs/reference/rest-api.md
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import Final

from aiohttp import web

from ivr.server.api.openapi import describe
from ivr.server.api.outline import outline, to_html, to_markdown
from ivr.server.api.routes import OPERATIONS

_STYLE_PATH: Final = "/docs/style.css"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE: Final = """\
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid;
  grid-template-columns: minmax(12rem, 18rem) minmax(0, 60rem); gap: 2rem; padding: 1rem 2rem; }
nav { position: sticky; top: 1rem; align-self: start; font-size: .9rem; }
nav ul { list-style: none; padding: 0; } nav li { margin: .3rem 0; }
h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .9rem; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
code { background: var(--soft); padding: 0 .2rem; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; } pre code { background: none; }
@media (max-width: 50rem) { body { display: block; padding: 1rem; } nav { position: static; } }
"""
_NOTE: Final = "<!-- Written by python -m ivr.server.api.docs; do not edit. -->\n\n"


async def get_openapi(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    """Handle ``GET /v1/openapi.json``; what there is is no secret, so no key is asked for."""
    return web.Response(text=_document(), content_type="application/json")


async def get_docs(request: web.Request) -> web.Response:  # noqa: ARG001
    """Handle ``GET /docs``."""
    return web.Response(text=_page(), content_type="text/html", headers=_HEADERS)


async def get_style(request: web.Request) -> web.Response:  # noqa: ARG001
    """Handle ``GET /docs/style.css``."""
    return web.Response(text=_STYLE, content_type="text/css", headers=_HEADERS)


def chapter() -> str:
    """The description as ``docs/reference/rest-api.md`` has it."""
    return _NOTE + to_markdown(outline(describe(OPERATIONS)))


@lru_cache
def _document() -> str:
    return json.dumps(describe(OPERATIONS))


@lru_cache
def _page() -> str:
    return to_html(outline(describe(OPERATIONS)), _STYLE_PATH)


if __name__ == "__main__":
    sys.stdout.write(chapter())
