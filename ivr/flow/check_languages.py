"""The checks of a flow's languages: every text is said in each, and none in another."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.errors import FlowError
from ivr.flow.model import LANGUAGE, Flow, SetStep
from ivr.flow.parts import Text
from ivr.flow.source import Path, Source
from ivr.flow.steps import texts


def check_languages(flow: Flow, source: Source) -> Iterator[FlowError]:
    """Texts that are not in each language, and languages that there are not."""
    for place, text in _all_texts(flow):
        for language in text.by_language:
            if language not in flow.languages:
                listed = ", ".join([*flow.languages, language])
                yield source.error(
                    place, f'{language} is none of the languages; write "languages: [{listed}]"'
                )
        lacking = [language for language in flow.languages if language not in text.by_language]
        if lacking and (text.by_language or len(flow.languages) > 1):
            listed = ", ".join(f"{language}: ..." for language in flow.languages)
            yield source.error(place, f"is not said in {lacking[0]}; write {{{listed}}}")
    for place, choice in _choices(flow):
        if flow.languages and choice not in flow.languages:
            yield source.error(
                place, f"is none of the languages; write {' or '.join(flow.languages)}"
            )


def _all_texts(flow: Flow) -> Iterator[tuple[Path, Text]]:
    if flow.announcement is not None:
        yield ("announcement",), flow.announcement
    for name, step in flow.steps.items():
        for place, text in texts(step):
            yield ("steps", name, *place), text


def _choices(flow: Flow) -> Iterator[tuple[Path, str]]:
    """The texts that the variable `LANGUAGE` is given."""
    if (first := flow.variables.get(LANGUAGE)) is not None:
        yield ("variables", LANGUAGE), first
    for name, step in flow.steps.items():
        if isinstance(step, SetStep) and LANGUAGE in step.set:
            yield ("steps", name, "set", LANGUAGE), step.set[LANGUAGE]
