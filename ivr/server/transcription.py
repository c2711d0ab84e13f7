"""A recording that was sent in: decoded, heard with the calls' recogniser, and read.

Theory of operation: the same line, endpointer and grammar as `ivr transcribe`'s (`ivr.line`,
`ivr.heard`); the same pool of recognisers as the calls', behind them in its queue.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Final

from ivr.asr.queue import Urgency
from ivr.endpointing.endpointer import UtteranceEnded
from ivr.errors import ConfigError, Overloaded
from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.heard import Utterance, alternatives, answer, spoken_words, utterance
from ivr.server.context import Recognizer
from ivr.server.decoding import Decoder
from ivr.server.problems import Problem

# For one utterance, waiting for the calls' included.
_TIMEOUT_S: Final = 60.0


def question(grammar: str) -> Grammar:
    """The grammar that a client named.

    Raises:
        Problem: 400, it is none, or names a list: what is in a flow's lists is the flow's.
    """
    if "list=" in grammar.replace(" ", "").lower():
        raise Problem(400, "bad-grammar", "lists belong to the flows; the API cannot name them")
    try:
        return parse_grammar(grammar)
    except ConfigError as error:
        raise Problem(400, "bad-grammar", str(error)) from None


async def transcribe(
    data: bytes,
    name: str,
    grammar: Grammar,
    confidence_level: float,
    *,
    decoder: Decoder,
    recognizer: Recognizer,
) -> dict[str, Any]:
    """What was heard in a recording, as the API tells it, without the request's own fields.

    Raises:
        AudioError: it cannot be used.
        Overloaded: there is no capacity now.
        ModelError: the recogniser failed.
    """
    recording = await decoder.decode(data, name)
    heard = [await hear(event, grammar, recognizer) for event in recording.utterances]
    return {
        "filename": name,
        "duration_ms": recording.duration_ms,
        **result(heard, grammar, confidence_level),
    }


async def hear(
    event: UtteranceEnded, grammar: Grammar, recognizer: Recognizer, **place: int
) -> Utterance:
    """One utterance, heard when no call wants the recogniser.

    Raises:
        Overloaded: it was not heard in time, or too many wait.
        ModelError: the recogniser failed.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            recognition = await recognizer.recognize(event.samples, grammar.uri, Urgency.RECORDING)
    except TimeoutError:
        raise Overloaded("the recogniser is busy with calls") from None
    return utterance(event, recognition, grammar, (loop.time() - began_s) * 1000, **place)


def result(heard: list[Utterance], grammar: Grammar, confidence_level: float) -> dict[str, Any]:
    """What utterances amount to, as the API tells it."""
    taken = answer(heard)
    digits = taken.value if taken.confidence >= confidence_level else ""
    return {
        "success": bool(digits),
        "digits": digits,
        "raw_text": taken.words,
        "confidence": round(taken.confidence, 4),
        "words": [asdict(word) for word in spoken_words(heard)],
        "n_best": [asdict(way) for way in alternatives(heard, grammar)] if heard else [],
        "grammar": grammar.uri,
    }
