"""``GET /v1/flows`` and ``GET /v1/flows/{name}``: the flows that answer calls."""

from __future__ import annotations

from aiohttp import web

from ivr.flow.draw import mermaid, nodes_of, ways_of
from ivr.server.access import authorize
from ivr.server.api.bodies import no_query, reply
from ivr.server.api.models import FlowDetail, FlowList, FlowStep, FlowSummary, FlowWay
from ivr.server.context import CONTEXT, Context
from ivr.server.flows import Served
from ivr.server.problems import Problem


async def list_flows(request: web.Request) -> web.Response:
    """Handle ``GET /v1/flows``."""
    await authorize(request, "flows:read")
    no_query(request)
    context = request.app[CONTEXT]
    flows = [
        _summary(context, served)
        for name in context.flows.names()
        if (served := context.flows.served(name)) is not None
    ]
    return reply(FlowList(flows=flows))


async def get_flow(request: web.Request) -> web.Response:
    """Handle ``GET /v1/flows/{name}``."""
    await authorize(request, "flows:read")
    no_query(request)
    context, name = request.app[CONTEXT], request.match_info["name"]
    served = context.flows.served(name)
    if served is None:
        raise Problem(404, "no-such-flow", "no flow of this server has this name")
    flow = served.flow
    return reply(
        FlowDetail(
            **_summary(context, served).model_dump(),
            steps=[
                FlowStep(name=node.name, kind=node.kind, texts=list(node.lines))
                for node in nodes_of(flow)
            ],
            ways=[
                FlowWay(origin=way.origin, target=way.target, when=way.label, aside=way.aside)
                for way in ways_of(flow)
            ],
            mermaid=mermaid(flow),
        )
    )


def _summary(context: Context, served: Served) -> FlowSummary:
    return FlowSummary(
        name=served.name,
        version=served.version,
        default=served is context.flows.default,
        start=served.flow.start,
    )
