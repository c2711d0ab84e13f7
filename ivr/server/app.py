"""The server's application: which address is handled where, and what the handlers share."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from ivr.actions import CallSettings
from ivr.config import Settings
from ivr.lookups.service import Lookups
from ivr.records.keys import KeyStore
from ivr.records.placed import PlacedStore
from ivr.records.protection import Keyring
from ivr.records.store import CallStore
from ivr.server.access import set_up_access
from ivr.server.api.docs import get_docs, get_openapi, get_style
from ivr.server.api.placing import DIALLER, PLACED, note_status
from ivr.server.api.routes import OPERATIONS
from ivr.server.api.stream import serve_stream, set_up_streams
from ivr.server.api.transcribe_url import OUTGOING
from ivr.server.api.uploads import UPLOADS, Uploads
from ivr.server.console_routes import add_console
from ivr.server.context import CONTEXT, Context, Fittings, Recognizer
from ivr.server.decoding import set_up_decoder
from ivr.server.dialling import Dialler
from ivr.server.flows import Flows
from ivr.server.gauges import Gauges
from ivr.server.health import READINESS, live, metrics, ready
from ivr.server.limits import Limits, set_up_limits
from ivr.server.metrics import Metrics
from ivr.server.outgoing import AllowedHosts, Outgoing
from ivr.server.problems import set_up_problems
from ivr.server.readiness import Readiness
from ivr.server.recorder import AudioDisk
from ivr.server.speech import PromptRenderer, Speech
from ivr.server.tokens import CallTokens
from ivr.server.tracing import Tracing
from ivr.server.transfers import Transfers
from ivr.server.twilio_account import TwilioAccount
from ivr.server.upgrade import serve_media
from ivr.server.voice import answer_after, answer_voice

__all__ = ["PromptRenderer", "Recognizer", "create_app"]

_MAX_BODY_BYTES: Final = 65_536  # a webhook's form has 1 kB
_ACCOUNT: Final = web.AppKey("account", TwilioAccount)


def create_app(
    settings: Settings,
    recognizer: Recognizer,
    flows: Flows,
    prompts: PromptRenderer,
    store: CallStore,
    *,
    call_settings: CallSettings | None = None,
    tracing: Tracing | None = None,
    fittings: Fittings | None = None,
) -> web.Application:
    """Put the server together; nothing is started.

    Args:
        settings: addresses and limits.
        recognizer: its owner starts and closes it.
        flows: that answer calls; its owner reads them anew.
        prompts: renders prompts, in threads.
        store: of the call records; its owner opens and closes it.
        call_settings: endpointing and timers; ``None`` takes the defaults.
        tracing: traces the calls; ``None`` does as the settings say. Closed with the application.
        fittings: what it has in place of the usual.

    Raises:
        ConfigError: an extra is missing.
    """
    measured = Metrics()
    keys = settings.records.keys
    keyring = Keyring.parse(keys.get_secret_value() if keys is not None else None)
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    account = app[_ACCOUNT] = TwilioAccount(settings.twilio)
    app[CONTEXT] = Context(
        settings=settings,
        call_settings=call_settings
        or CallSettings(
            stall_timeout_s=settings.server.stall_timeout_s,
            inband_dtmf=settings.server.inband_dtmf,
        ),
        recognizer=recognizer,
        flows=flows,
        speech=Speech(prompts, measured),
        store=store,
        audio=AudioDisk(settings.records.audio_dir, keyring, measured),
        metrics=measured,
        tracing=tracing or Tracing(settings.telemetry),
        tokens=CallTokens(settings.server.token_ttl_s, time.monotonic),
        lookups=Lookups(settings.lookups),
        transfers=Transfers(account),
        fittings=fittings or Fittings(),
    )
    set_up_problems(app)
    set_up_limits(app, Limits(settings.api, measured))
    set_up_access(app, KeyStore(store.database), measured)
    app[UPLOADS] = Uploads(settings.api)
    set_up_decoder(app, settings.api.decoders)
    app[PLACED], app[DIALLER] = PlacedStore(store.database), Dialler(settings, account)
    app[OUTGOING] = Outgoing(AllowedHosts.parse(settings.api.fetch_hosts))
    set_up_streams(app, settings.api.max_streams)
    app[READINESS] = Readiness(app[CONTEXT])
    measured.register(Gauges(app[CONTEXT], app[READINESS]))
    app.cleanup_ctx.append(_stop)
    app.cleanup_ctx.append(_stop_errands)
    app.add_routes(
        [
            web.post("/voice", answer_voice),
            web.post("/voice/after", answer_after),
            web.post("/voice/status", note_status),
            web.get("/media", serve_media),
            *(operation.route() for operation in OPERATIONS),
            web.get("/v1/stream", serve_stream),
            web.get("/v1/openapi.json", get_openapi),
            web.get("/docs", get_docs),
            web.get("/docs/style.css", get_style),
            web.get("/livez", live),
            web.get("/readyz", ready),
            web.get("/metrics", metrics),
        ]
    )
    add_console(app)
    return app


async def _stop(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[READINESS].close()
    await app[CONTEXT].tracing.close()
    app[CONTEXT].speech.close()
    app[CONTEXT].audio.close()


async def _stop_errands(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[CONTEXT].lookups.close()
    await app[OUTGOING].close()
    await app[_ACCOUNT].close()
