"""Every address of the API."""

from __future__ import annotations

from typing import Final

from ivr.server.api.calls import get_call, list_calls
from ivr.server.api.flows import get_flow, list_flows
from ivr.server.api.models import (
    Address,
    Batch,
    CallPage,
    CallRecord,
    CallRequest,
    CallsQuery,
    FlowDetail,
    FlowList,
    PlacedCall,
    Question,
    Transcription,
    Upload,
)
from ivr.server.api.operation import Operation
from ivr.server.api.placing import post_call
from ivr.server.api.transcribe import expect_upload, post_transcribe
from ivr.server.api.transcribe_url import post_transcribe_url

_CALL: Final = {"call_id": "The provider's call_id, the record_id or the placed_id."}

OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/transcribe",
        post_transcribe,
        "transcribe",
        "Hear a recording",
        "transcribe",
        {200: Transcription | Batch},
        (408, 413, 415, 422),
        text="A form with one `file`, or a recording as the whole body (also as `audio/*`): wav, "
        "webm, mp3, ogg, m4a or flac, ten minutes at most. Several files in one form are a batch, "
        "with a result each in the order sent, also where some cannot be used. The question may "
        "be in the form or behind the question mark.",
        query=Question,
        bodies={"multipart/form-data": Upload, "application/octet-stream": None},
        expect=expect_upload,
    ),
    Operation(
        "POST",
        "/v1/transcribe-url",
        post_transcribe_url,
        "transcribeUrl",
        "Hear a recording that lies elsewhere",
        "transcribe",
        {200: Transcription},
        (413, 415, 422),
        text="Fetched from a host that `api.fetch_hosts` allows, and from no other: 403. Its name "
        "must not stand for a private address, and each redirect (three at most) is looked at in "
        "the same way.",
        bodies={"application/json": Address},
    ),
    Operation(
        "GET",
        "/v1/calls",
        list_calls,
        "listCalls",
        "List calls, the newest first",
        "calls:read",
        {200: CallPage},
        text="Live and ended calls that the key may see, without what was said. A page's "
        "`next_cursor` is the `cursor` of the next; the last page has none.",
        query=CallsQuery,
    ),
    Operation(
        "POST",
        "/v1/calls",
        post_call,
        "placeCall",
        "Place a call",
        "calls:write",
        {201: PlacedCall},
        (404, 409, 415, 422, 501, 502, 504),
        text="The provider calls `to`, and the flow begins when it is answered. The call is seen "
        "with the key that placed it, its successors and administrators. With an "
        "`Idempotency-Key` a repeated request places no second call and is answered like the "
        "first. How far it has come: `GET /v1/calls/{call_id}`.",
        header_parameters={"Idempotency-Key": "A random name for this call, such as a UUID."},
        bodies={"application/json": CallRequest},
    ),
    Operation(
        "GET",
        "/v1/calls/{call_id}",
        get_call,
        "getCall",
        "Show a call",
        "calls:read",
        {200: CallRecord | PlacedCall},
        (404,),
        text="The newest record of the call, live or ended. Numbers are stars unless the key has "
        "`numbers:read`. A call that was placed and not answered has no record: what is known of "
        "it comes instead. What each field means: docs/reference/call-record.md.",
        path_parameters=_CALL,
    ),
    Operation(
        "GET",
        "/v1/flows",
        list_flows,
        "listFlows",
        "List the flows",
        "flows:read",
        {200: FlowList},
    ),
    Operation(
        "GET",
        "/v1/flows/{name}",
        get_flow,
        "getFlow",
        "Show a flow",
        "flows:read",
        {200: FlowDetail},
        (404,),
        path_parameters={"name": "The flow's name, as its file says it."},
    ),
)
