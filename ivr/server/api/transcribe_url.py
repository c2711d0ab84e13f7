"""``POST /v1/transcribe-url``: a recording that lies somewhere else, on a host that is allowed."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from yarl import URL

from ivr.server.access import authorize
from ivr.server.api.bodies import checked, read_json, reply
from ivr.server.api.models import Address
from ivr.server.api.transcribe import heard
from ivr.server.api.uploads import UPLOADS, Sent, shown_name
from ivr.server.context import CONTEXT
from ivr.server.outgoing import FetchError, NotAllowedError, Outgoing, TooLargeError
from ivr.server.problems import Problem
from ivr.server.transcription import question

OUTGOING: Final = web.AppKey("outgoing", Outgoing)


async def post_transcribe_url(request: web.Request) -> web.Response:
    """Handle ``POST /v1/transcribe-url``."""
    await authorize(request, "transcribe")
    asked = checked(Address, await read_json(request))
    grammar = question(asked.grammar)
    async with request.app[UPLOADS].place():
        sent = await _fetch(request, asked.audio_url)
        return reply(await heard(request, sent, grammar, asked.confidence_level))


async def _fetch(request: web.Request, url: str) -> Sent:
    settings = request.app[CONTEXT].settings.api
    try:
        fetched = await request.app[OUTGOING].fetch(
            "GET", url, max_bytes=settings.max_upload_bytes, timeout_s=settings.fetch_timeout_s
        )
    except NotAllowedError as error:
        request.app[CONTEXT].metrics.add("refusals", "address_not_allowed")
        raise Problem(403, "address-not-allowed", f"audio_url: {error}") from None
    except TooLargeError as error:
        raise Problem(413, "too-large", f"audio_url: {error}") from None
    except FetchError as error:
        raise Problem(422, "not-fetched", f"audio_url: {error}") from None
    if fetched.status != 200:
        raise Problem(422, "not-fetched", f"audio_url: answered with status {fetched.status}")
    return Sent(shown_name(URL(url).name), fetched.body)
