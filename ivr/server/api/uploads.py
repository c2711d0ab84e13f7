"""Recordings in a request: read piece by piece, and refused where they are too many or too much.

A body is never larger in memory than `api.max_upload_bytes`: its length is looked at before the
first byte is read, and what comes is counted, since lengths can lie and compressed bodies unpack.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ivr.config import ApiSettings
from ivr.server.problems import Problem

_MAX_FILES: Final = 32
_MAX_FIELD_BYTES: Final = 2048
_MAX_FIELDS: Final = 16
_PIECE_BYTES: Final = 65_536
_FILE_FIELDS: Final = ("file", "files")
_UNSHOWABLE: Final = re.compile(r"[^\w .,()+@=-]")
_RAW: Final = ("application/octet-stream", "video/webm", "video/mp4", "application/ogg")


@dataclass(frozen=True, slots=True)
class Sent:
    """A recording as it was sent.

    Attributes:
        name: as its sender calls it; fit to be shown.
        data: the whole file.
    """

    name: str
    data: bytes = field(repr=False)


class Uploads:
    """Takes request bodies, a few at a time.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._taken = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few bodies that may be in memory at once.

        Raises:
            Problem: 503, all places are taken.
        """
        if self._taken >= self._settings.max_uploads:
            raise Problem(
                503,
                "overloaded",
                "too many recordings are on their way; try again in a moment",
                headers={"Retry-After": "5"},
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def read(self, request: web.Request) -> tuple[list[Sent], dict[str, str]]:
        """The recordings of a request, and the other fields of its form.

        Raises:
            Problem: 400, 408, 413 or 415; it says why.
        """
        self.refuse_length(request)
        try:
            async with asyncio.timeout(self._settings.upload_timeout_s):
                if request.content_type == "multipart/form-data":
                    return await self._read_form(request)
                return [await self._read_raw(request)], {}
        except TimeoutError:
            raise Problem(
                408, "too-slow", f"a body may take {self._settings.upload_timeout_s:g} s"
            ) from None
        except (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError):
            raise Problem(400, "bad-body", "the body is broken off, or not what it says") from None

    def refuse_length(self, request: web.Request) -> None:
        """Refuse a body that says that it is too large, before it is read.

        Raises:
            Problem: 413.
        """
        # A form has some bytes of its own around the files.
        if (request.content_length or 0) > self._most + _PIECE_BYTES:
            raise self._too_large()

    @property
    def _most(self) -> int:
        return self._settings.max_upload_bytes

    def _too_large(self) -> Problem:
        # The rest is not read: the connection cannot be used again.
        return Problem(
            413,
            "too-large",
            f"a request may have {self._most} bytes of recordings (api.max_upload_bytes)",
            headers={"Connection": "close"},
        )

    async def _read_raw(self, request: web.Request) -> Sent:
        kind = request.content_type
        if not kind.startswith("audio/") and kind not in _RAW:
            raise Problem(
                415,
                "unsupported-media-type",
                "send a form (multipart/form-data) with a file, or a recording as audio/* or "
                "application/octet-stream",
            )
        data = bytearray()
        while piece := await request.content.readany():
            data += piece
            if len(data) > self._most:
                raise self._too_large()
        if not data:
            raise Problem(400, "no-file", "the body is empty; send a recording")
        return Sent("recording", bytes(data))

    async def _read_form(self, request: web.Request) -> tuple[list[Sent], dict[str, str]]:
        sent: list[Sent] = []
        fields: dict[str, str] = {}
        left = self._most
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise Problem(400, "bad-body", "a form holds files and fields, no form again")
            if part.name in _FILE_FIELDS:
                if len(sent) >= _MAX_FILES:
                    raise Problem(413, "too-many-files", f"a batch has {_MAX_FILES} at most")
                data = await self._read_part(part, left)
                left -= len(data)
                sent.append(Sent(shown_name(part.filename), data))
            elif part.name is None or len(fields) >= _MAX_FIELDS or part.name in fields:
                raise Problem(400, "bad-field", "every field has a name of its own")
            else:
                text = await self._read_part(part, _MAX_FIELD_BYTES)
                fields[part.name] = text.decode("utf-8")
        if not sent:
            raise Problem(400, "no-file", "the form has no field `file` with a recording")
        return sent, fields

    async def _read_part(self, part: BodyPartReader, most: int) -> bytes:
        data = bytearray()
        while piece := await part.read_chunk(_PIECE_BYTES):
            data += piece
            if len(data) > most:
                raise self._too_large()
        return bytes(data)


def shown_name(name: str | None) -> str:
    """A file's name without anything that a terminal, a log or a page could take for more."""
    return _UNSHOWABLE.sub("_", (name or "recording").replace("\\", "/").rpartition("/")[2])[:200]


UPLOADS: Final = web.AppKey("uploads", Uploads)
