"""What a flow can say, and the names of the recordings that may be played instead.

A text that names no recording has that of its place: ``ask.prompt``, ``ask.no_input.1``, items
counted from 1. Of a text that speaks values the flow's own words may be recorded, part by part:
``confirm.prompt-1`` before the first value, ``confirm.prompt-2`` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.flow.model import Flow
from ivr.flow.source import Path
from ivr.flow.spoken import ENGLISH
from ivr.flow.steps import texts
from ivr.flow.text import Template, fill, fill_pieces, parse_template, says_something
from ivr.flow.turn import Piece, Prompt


def recording_name(step: str, place: Path) -> str:
    """The recording of a text that names none."""
    return ".".join([step, *(str(part + 1) if isinstance(part, int) else part for part in place)])


def made_of(
    template: Template, values: Mapping[str, str], name: str, language: str | None = None
) -> tuple[Piece, ...]:
    """The pieces of a text that speaks values; none where it speaks no value.

    Args:
        template: of the text.
        values: of the variables in it.
        name: of the text's recording; its parts are numbered.
        language: of the text.
    """
    if all(isinstance(piece, str) for piece in template):
        return ()
    pieces, count = [], 0
    spoken = fill_pieces(template, values, language or ENGLISH)
    for piece, said in zip(template, spoken, strict=True):
        recorded = isinstance(piece, str) and says_something(said)
        count += recorded
        pieces.append(Piece(said, f"{name}-{count}" if recorded else None))
    return tuple(pieces)


def fixed_prompts(flow: Flow) -> tuple[Prompt, ...]:
    """Every prompt of a flow that is the same in each call, to be rendered before the first."""
    fixed = [
        Prompt(
            fill(parse_template(text.words(language)), {}),
            recording=text.recording or recording_name(name, place),
            language=language,
        )
        for name, step in flow.steps.items()
        for place, text in texts(step)
        if not text.variables
        for language in languages_of(flow)
    ]
    told = [prompt for language in languages_of(flow) for prompt in announced(flow, language)]
    return (*told, *fixed)


def languages_of(flow: Flow) -> tuple[str | None, ...]:
    """Every language that a flow speaks; None alone is that of the configured voice."""
    return tuple(flow.languages) or (None,)


def announced(flow: Flow, language: str | None) -> tuple[Prompt, ...]:
    """What a call is told first where it is recorded."""
    if flow.announcement is None:
        return ()
    text = flow.announcement
    words = fill(parse_template(text.words(language)), {})
    return (Prompt(words, text.recording or "announcement", language=language),)


def fixed_parts(flow: Flow) -> tuple[Prompt, ...]:
    """The flow's own words in the texts that speak values, to be recorded part by part."""
    found = []
    for name, step in flow.steps.items():
        for place, text in texts(step):
            values = dict.fromkeys(text.variables, "")
            for language in languages_of(flow):
                template = parse_template(text.words(language))
                pieces = made_of(template, values, recording_name(name, place), language)
                found += [
                    Prompt(p.text, recording=p.recording, language=language)
                    for p in pieces
                    if p.recording
                ]
    return tuple(found)
