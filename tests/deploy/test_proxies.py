"""A call through nginx and through Caddy, as configured here: webhook, socket, and nothing else."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.deploy.places import DEPLOY, free_port, run, tool
from tests.server.conftest import Kit, Line

NAME = "ivr.example.com"


@pytest.fixture
def kit() -> Kit:
    """The server's test kit."""
    return Kit()


def certificate(folder: Path) -> None:
    """A certificate of the test's own, where the configuration looks for one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, kind, plain))


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[None]:
    """A proxy in the foreground, ended with the test."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def answered(client: aiohttp.ClientSession, url: str) -> None:
    """Wait until somebody is there."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.get(url)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
            else:
                return


async def call_through(url: str, bench: Any) -> None:
    """A whole call by way of the proxy; what is not the provider's stays inside."""
    trust = aiohttp.TCPConnector(ssl=_trusting() if url.startswith("https") else True)
    headers = {"Host": NAME}
    async with aiohttp.ClientSession(connector=trust, headers=headers) as client:
        await answered(client, url)
        for path in ("/metrics", "/v1/calls", "/livez", "/readyz", "/voice/x", "/"):
            assert (await client.get(url + path)).status == 404, path
        after = await client.post(url + "/voice/after", data={"CallSid": "CA0"})
        assert "<Hangup/>" in await after.text()
        response = await client.post(url + "/voice", data={"CallSid": "CA1"})
        assert response.status == 200
        twiml = await response.text()
        assert f"wss://{NAME}/media" in twiml
        token = twiml.partition('value="')[2].partition('"')[0]
        line = Line(await client.ws_connect(url + "/media"))
        await line.start(token, "CA1", "MZ1")
        await line.mark()
        await line.keys("4155")
        await line.say(line.caller.mark(await line.mark(2)))
        assert await line.closed() == 1000
        assert (await bench.ended())["outcome"] == "completed"
        assert len(await (await client.post(url + "/voice", data=b"x" * 70_000)).read()) < 1000


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_nginx(kit: Kit, tmp_path: Path) -> None:
    """TLS, upgrade and limits, with two ports changed and the certificate the test's."""
    nginx = tool("nginx")
    certificate(tmp_path)

    async def scenario() -> None:
        async with kit.serving() as bench:
            port, plain = free_port(), free_port()
            text = (DEPLOY / "nginx" / "ivr.conf").read_text()
            text = text.replace("127.0.0.1:8080", bench.url.removeprefix("http://"))
            text = text.replace(f"/etc/letsencrypt/live/{NAME}", str(tmp_path))
            text = text.replace("listen [::]:443 ssl;", "").replace("listen [::]:80;", "")
            text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
            text = text.replace("listen 80", f"listen 127.0.0.1:{plain}")
            logs = f"access_log off; error_log {tmp_path}/error.log;"
            temporary = " ".join(
                f"{kind}_temp_path {tmp_path}/{kind};"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            (tmp_path / "nginx.conf").write_text(
                f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
                f"events {{}}\nhttp {{ {logs} {temporary}\n{text}\n}}\n"
            )
            run(nginx, "-t", "-q", "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf")
            options = ("-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf")
            async with running(nginx, *options):
                await call_through(f"https://127.0.0.1:{port}", bench)

    kit.run(scenario)


def test_caddy(kit: Kit, tmp_path: Path) -> None:
    """The site's rules on a port without TLS, since certificates come from outside."""
    caddy = tool("caddy")

    async def scenario() -> None:
        public = {"public_url": f"https://{NAME}"}
        async with kit.serving(server=public) as bench:
            port = free_port()
            text = (DEPLOY / "caddy" / "Caddyfile").read_text()
            text = text.replace("127.0.0.1:8080", bench.url.removeprefix("http://"))
            text = text.replace(f"{NAME} {{", f"http://{NAME}:{port} {{")
            file = tmp_path / "Caddyfile"
            file.write_text(f"{{\n\tadmin off\n\tstorage file_system {tmp_path}\n}}\n{text}")
            try:
                run(caddy, "validate", "--adapter", "caddyfile", "--config", file)
            except AssertionError as error:
                if "stream_close_delay" in str(error):
                    pytest.skip("Caddy is older than 2.7")
                raise
            async with running(caddy, "run", "--adapter", "caddyfile", "--config", str(file)):
                await call_through(f"http://127.0.0.1:{port}", bench)

    kit.run(scenario)
