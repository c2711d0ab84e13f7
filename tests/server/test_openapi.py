"""The API's description: true to what the server does, and to what the documents say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.server.api.docs import chapter
from ivr.server.api.openapi import describe
from ivr.server.api.routes import OPERATIONS

ROOT = Path(__file__).parents[2]


def test_every_reference_leads_somewhere() -> None:
    """No model is named that is not described."""
    document = describe(OPERATIONS)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    schemas = document["components"]["schemas"]
    assert {each.rpartition("/")[2] for each in references(document)} <= schemas.keys()
    assert json.loads(json.dumps(document)) == document


def test_reference_is_current() -> None:
    """To mend it: python -m ivr.server.api.docs > docs/reference/rest-api.md."""
    assert (ROOT / "docs" / "reference" / "rest-api.md").read_text(encoding="utf-8") == chapter()


def test_page_has_no_script_and_nothing_from_elsewhere(kit: Any) -> None:
    """It can be read without a key, and its policy forbids what it does not need."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            await bench.key("admin")
            page = await bench.client.get(bench.url + "/docs")
            text = await page.text()
            assert page.status == 200
            assert page.headers["Content-Security-Policy"].startswith("default-src 'none';")
            assert "<script" not in text
            assert "style=" not in text
            assert 'href="http' not in text
            for operation in OPERATIONS:
                assert f"{operation.method} {operation.path}" in text
            style = await bench.client.get(bench.url + "/docs/style.css")
            assert (style.status, style.content_type) == (200, "text/css")

    kit.run(scenario)


@pytest.mark.parametrize("path", ["/v1/flows", "/v1/flows/pin"])
def test_flows_are_shown(kit: Any, path: str) -> None:
    """Names, versions, steps and ways, for keys that may read them."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            headers = await bench.key("flows:read")
            shown = await (await bench.client.get(bench.url + path, headers=headers)).json()
            flow = shown["flows"][0] if path == "/v1/flows" else shown
            assert (flow["name"], flow["start"], flow["default"]) == ("pin", "ask", True)
            if "steps" in flow:
                assert [step["name"] for step in flow["steps"]] == ["ask", "done", "bye"]
                assert {way["target"] for way in flow["ways"]} == {"done", "bye"}
                assert flow["mermaid"].startswith("flowchart")
            gone = await bench.client.get(bench.url + "/v1/flows/none", headers=headers)
            assert gone.status == 404

    kit.run(scenario)
