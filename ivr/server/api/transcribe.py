"""``POST /v1/transcribe``: recordings, heard as a call would.

One recording gives a `Transcription`, or a problem. Several give a `Batch` with a result each, also
where some cannot be used: the others are heard all the same.
"""

from __future__ import annotations

import uuid

from aiohttp import web

from ivr.errors import AudioError, ModelError, Overloaded
from ivr.grammar.grammar import Grammar
from ivr.server.access import authorize
from ivr.server.api.bodies import checked, reply
from ivr.server.api.models import Batch, Failure, Question, Transcription
from ivr.server.api.uploads import UPLOADS, Sent
from ivr.server.context import CONTEXT
from ivr.server.decoding import DECODER
from ivr.server.problems import REQUEST_ID, Problem
from ivr.server.transcription import question, transcribe


async def post_transcribe(request: web.Request) -> web.Response:
    """Handle ``POST /v1/transcribe``: one recording, or a batch of them."""
    await authorize(request, "transcribe")
    uploads = request.app[UPLOADS]
    async with uploads.place():
        sent, fields = await uploads.read(request)
        asked = checked(Question, {**request.query, **fields})
        grammar = question(asked.grammar)
        if len(sent) == 1:
            return reply(await heard(request, sent[0], grammar, asked.confidence_level))
        return reply(await _batch(request, sent, grammar, asked.confidence_level))


async def expect_upload(request: web.Request) -> web.Response | None:
    """Answer ``Expect: 100-continue`` with 413 where the body would be too large."""
    try:
        request.app[UPLOADS].refuse_length(request)
    except Problem as problem:  # no middleware is around yet
        return problem.response(uuid.uuid4().hex)
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


async def _batch(
    request: web.Request, sent: list[Sent], grammar: Grammar, confidence_level: float
) -> Batch:
    results: list[Transcription | Failure] = []
    request_id = request[REQUEST_ID]
    for one in sent:
        try:
            results.append(await heard(request, one, grammar, confidence_level))
        except Problem as problem:
            results.append(
                Failure.model_validate(
                    {
                        "request_id": request_id,
                        "filename": one.name,
                        "error": problem.document(request_id),
                    }
                )
            )
    usable = all(isinstance(result, Transcription) for result in results)
    return Batch(success=usable, request_id=request_id, results=results)


async def heard(
    request: web.Request, sent: Sent, grammar: Grammar, confidence_level: float
) -> Transcription:
    """What was heard in one recording.

    Raises:
        Problem: 422, it cannot be used; 503, there is no capacity now.
    """
    context = request.app[CONTEXT]
    try:
        found = await transcribe(
            sent.data,
            sent.name,
            grammar,
            confidence_level,
            decoder=request.app[DECODER],
            recognizer=context.recognizer,
        )
    except AudioError as error:
        raise Problem(422, "unreadable-recording", str(error)) from None
    except Overloaded as error:
        detail = f"{error}; try again in a moment"
        raise Problem(503, "overloaded", detail, headers={"Retry-After": "5"}) from None
    except ModelError as error:
        context.metrics.add("failures", "recognizer_failed")
        raise Problem(503, "recognizer-failed", str(error), headers={"Retry-After": "5"}) from None
    return Transcription.model_validate(
        {**found, "request_id": request[REQUEST_ID], "model": context.recognizer.model}
    )
