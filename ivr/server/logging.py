"""Logs: one line an event, for people or for machines, and never a caller's digits.

Theory of operation: two fences. Our own log calls pass lengths, causes and confidences only. Behind
them, `redact` looks at every event: fields that by name hold what was said are emptied, and in
every other text a run of digits, in figures or in words, is masked, except in fields that are ids
and addresses by name. The standard library's loggers (aiohttp's among them) go through the same
processors.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from ivr.asr.tokens import DIGITS, TEENS, TENS, ZEROS
from ivr.config import LogSettings

_PERSONAL: Final = frozenset(
    {
        *("answer", "caller", "digit", "digits", "from", "keys", "payload", "prompt", "prompts"),
        *("samples", "text", "to", "token", "value", "values", "variables", "words"),
    }
)
# Ids, addresses and times: full of digits by nature, and nothing that a caller says gets there.
_IMPERSONAL: Final = frozenset(
    {
        *(
            "call_id",
            "stream_id",
            "record_id",
            "trace_id",
            "timestamp",
            "url",
            "host",
            "path",
            "file",
        ),
        *("places", "logger", "version"),
    }
)
_NUMBER_WORDS: Final = (*DIGITS, *ZEROS, *TEENS, *TENS, "hundred", "double", "triple")
_GAP: Final = r"[\s,.;:_-]{0,3}"
_DIGIT_RUN: Final = re.compile(rf"\d(?:{_GAP}\d){{2,}}")
_WORD_RUN: Final = re.compile(
    rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b(?:{_GAP}\b(?:{'|'.join(_NUMBER_WORDS)})\b){{2,}}",
    re.IGNORECASE,
)
# Below warnings these write every statement with its values.
_VALUES_IN_DEBUG: Final = ("aiosqlite", "alembic", "asyncpg", "sqlalchemy")
MASK: Final = "[number]"
REMOVED: Final = "[removed]"


def configure_logging(settings: LogSettings) -> None:
    """Send all logs to standard error in the configured form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_traceback,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            # Redaction runs again, behind whatever a foreign logger made of its arguments.
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    # Its lines hold the peer's request as sent.
    logging.getLogger("aiohttp.access").disabled = True
    for name in _VALUES_IN_DEBUG:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:  # noqa: ARG001
    """Mask whatever could be a caller's number; a structlog processor."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if value is None or (isinstance(value, bool | int | float) and key not in _PERSONAL):
        return value
    if key in _PERSONAL or isinstance(value, bytes | bytearray):
        return REMOVED
    if key in _IMPERSONAL or key.startswith("_"):
        return value
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item) for item in value]
    return _WORD_RUN.sub(MASK, _DIGIT_RUN.sub(MASK, str(value)))


def _drop_traceback(
    logger: WrappedLogger,  # noqa: ARG001 - structlog's signature
    name: str,  # noqa: ARG001
    event: EventDict,
) -> EventDict:
    """Of an exception keep the kind: its text and its frames may hold what a caller said."""
    record, given = event.get("_record"), event.pop("exc_info", None)
    if record is not None:
        given, record.exc_info, record.exc_text = record.exc_info or given, None, None
    if given:
        # True, an exception, or the three of `sys.exc_info`.
        raised = given if isinstance(given, tuple) else (given,)
        kind = sys.exc_info()[0] if raised[0] is True else raised[0]
        kind = kind if isinstance(kind, type) or kind is None else type(kind)
        event["cause"] = getattr(kind, "__name__", "unknown")
    event.pop("stack_info", None)
    return event
