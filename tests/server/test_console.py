"""Who gets into the console, and what its pages and answers are sent with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ivr.server.access import LOCAL, Principal
from ivr.server.session import Sessions

FILES = Path(__file__).parents[2] / "ivr" / "console"
FROM_AFAR = {"X-Forwarded-For": "203.0.113.9"}


def key_of(headers: dict[str, str]) -> str:
    """The key in a request's headers."""
    return headers["Authorization"].removeprefix("Bearer ")


# -- pages and files ------------------------------------------------------------------------------


def test_every_page_is_the_application_and_runs_nothing_else(kit: Any) -> None:
    """The policy lets a page load this server's own files, and no script, style or frame beside."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            for path in ("", "/phone", "/calls/CA1"):
                response = await browser.get(path)
                assert response.status == 200
                assert response.content_type == "text/html"
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"

    kit.run(scenario)


def test_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    """What the policy would stop is not there: no inline script or style, no other server."""
    page = (FILES / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\bsrc=)", page)
    for path in FILES.rglob("*"):
        if path.suffix in {".html", ".js", ".css"}:
            text = path.read_text(encoding="utf-8")
            found = re.findall(r"https?://(?!www\.w3\.org/|localhost)[a-z][^\s\"'`)]*", text)
            assert not found, f"{path.name}: {found}"
            assert "innerHTML" not in text, path.name


def test_files_are_served_by_their_kind_and_asked_for_again(kit: Any) -> None:
    """A browser that has the file gets 304, one that has not gets it packed."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            script = await browser.get("/static/app.js")
            assert script.status == 200
            assert script.content_type == "text/javascript"
            assert await script.read() == (FILES / "app.js").read_bytes()
            again = await browser.get("/static/app.js", **{"If-None-Match": script.headers["ETag"]})
            assert again.status == 304
            for path in ("/static/none.js", "/static/..%2fcli.py"):
                assert (await browser.get(path)).status == 404

    kit.run(scenario)


# -- who gets in ----------------------------------------------------------------------------------


def test_this_machine_gets_in_without_a_key(kit: Any) -> None:
    """Where no key is configured a newcomer is in at once, with a cookie no script can read."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            response = await browser.get("/api/session")
            about = await response.json()
            assert about["scopes"] == ["admin"]
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert "Secure" not in cookie
            assert (await (await browser.get("/api/session")).json())["csrf"] == about["csrf"]

    kit.run(scenario)


@pytest.mark.parametrize(
    "headers",
    [FROM_AFAR, {"Forwarded": "for=203.0.113.9"}, {"Host": "rebound.example.com"}],
    ids=["proxied", "forwarded", "rebound"],
)
def test_nobody_else_gets_in_without_a_key(kit: Any, headers: dict[str, str]) -> None:
    """Neither who came by a proxy, nor a foreign name that was pointed at this machine."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            response = await browser.get("/api/session", **headers)
            assert response.status == 403
            assert "Set-Cookie" not in response.headers

    kit.run(scenario)


def test_login_takes_the_key_and_nothing_else(kit: Any) -> None:
    """A wrong key, and what is no key at all, get the same answer."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            key = key_of(await bench.key("calls:read"))
            assert (await browser.get("/api/session")).status == 401
            for body in ({"key": key[:-1] + "!"}, {"key": 5}, {}, {"key": "\ud800"}):
                assert (await browser.post("/api/login", body)).status == 401
            assert bench.count("bad_api_key") == 4
            assert (await browser.post("/api/login", [])).status == 400
            response = await browser.post("/api/login", {"key": key})
            assert response.status == 200
            assert (await browser.get("/api/flows")).status == 200

    kit.run(scenario)


def test_login_from_another_site_is_refused(kit: Any) -> None:
    """No site can log a browser in, and learn by that what key is right."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            key = key_of(await bench.key("calls:read"))
            origin = {"Origin": "https://evil.example.com"}
            response = await browser.post("/api/login", {"key": key}, **origin)
            assert response.status == 403
            assert "Set-Cookie" not in response.headers

    kit.run(scenario)


def test_cookie_behind_https_is_bound_to_host_and_https(kit: Any) -> None:
    """Behind a proxy with a certificate the cookie never travels in clear."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            key = key_of(await bench.key("calls:read"))
            https = {"X-Forwarded-Proto": "https", "Host": "ivr.example.com"}
            origin = {"Origin": "https://ivr.example.com"}
            response = await browser.post("/api/login", {"key": key}, **https, **origin)
            assert response.status == 200
            cookie = response.headers["Set-Cookie"]
            assert cookie.startswith("__Host-")
            assert "Secure" in cookie
            assert "Path=/" in cookie

    kit.run(scenario)


def test_logging_out_ends_the_session(kit: Any) -> None:
    """The cookie is worth nothing afterwards, whoever kept it."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            key = key_of(await bench.key("calls:read"))
            about = await (await browser.post("/api/login", {"key": key})).json()
            browser.csrf = about["csrf"]
            kept = {c.key: c.value for c in browser.client.cookie_jar}["ivr_console"]
            assert (await browser.post("/api/logout", {})).status == 200
            cookie = {"Cookie": f"ivr_console={kept}"}
            assert (await browser.get("/api/flows", **cookie)).status == 401

    kit.run(scenario)


def test_revoked_key_ends_its_sessions(kit: Any) -> None:
    """A session is as good as its key, and so is one from before there were keys."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.enter()
            key = key_of(await bench.key("calls:read"))
            bench.forget_keys()
            assert (await browser.get("/api/flows")).status == 401
            assert (await browser.post("/api/login", {"key": key})).status == 200
            assert (await browser.get("/api/flows")).status == 200
            await bench.revoke(key)
            assert (await browser.get("/api/flows")).status == 401

    kit.run(scenario)


# -- what changes something -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": ""},
        {"X-CSRF-Token": "guess"},
        {"X-CSRF-Token": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_what_changes_something_must_come_from_our_page(kit: Any, headers: dict[str, str]) -> None:
    """A cookie alone places no call: the page's origin and the session's token are wanted."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.enter()
            assert (await browser.post("/api/phone", {}, **headers)).status == 403
            assert (await browser.post("/api/phone", {})).status == 201

    kit.run(scenario)


def test_sessions_end_and_do_not_pile_up() -> None:
    """A session lives for a working day, and the oldest goes where there are too many."""
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    nobody = Principal("k", "nobody", frozenset(), "k")
    first, _ = sessions.open(LOCAL)
    second = first
    for _ in range(1000):
        second, _ = sessions.open(nobody)
    assert sessions.find(first) is None
    found = sessions.find(second)
    assert found is not None
    assert not found.may("calls:read")
    now[0] = 13 * 3600.0
    assert sessions.find(second) is None
    assert sessions.find(None) is None
