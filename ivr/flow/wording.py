"""The prompts of one call: the flow's texts with the values of now, in the language of now."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ivr.flow.model import AskStep, CaptureStep, Flow
from ivr.flow.parts import Text
from ivr.flow.saying import announced, made_of, recording_name
from ivr.flow.source import Path
from ivr.flow.spoken import ENGLISH
from ivr.flow.text import fill, names, ordinal, parse_template, spell_groups
from ivr.flow.turn import Prompt
from ivr.flow.variables import Variables
from ivr.recognition import Unclear


class Wording:
    """Makes prompts of texts.

    Args:
        flow: a checked flow.
        variables: of the call; looked at with each prompt.
        sensitive: names of the variables that must not be in a recording of the call.
    """

    def __init__(self, flow: Flow, variables: Variables, sensitive: AbstractSet[str]) -> None:
        self._flow = flow
        self._variables = variables
        self._sensitive = sensitive

    def announcement(self) -> tuple[Prompt, ...]:
        """What a call is told first where it is recorded."""
        return announced(self._flow, self._flow.language(self._variables.values))

    def prompt(self, step: str, place: Path, text: Text) -> Prompt:
        """A text of a step, by its place in it."""
        values = self._variables.values
        language = self._flow.language(values)
        template = parse_template(text.words(language))
        spoken = names(template)
        return Prompt(
            fill(template, values, language or ENGLISH),
            language=language,
            recording=None if spoken else text.recording or recording_name(step, place),
            personal=self._variables.is_personal(spoken),
            pieces=made_of(template, values, recording_name(step, place), language),
            sensitive=not self._sensitive.isdisjoint(spoken),
        )

    def question(self, name: str, step: AskStep, cause: str, times: int) -> Prompt:
        """A question in the words that the cause asks for.

        Args:
            name: of the step.
            step: that asks.
            cause: the key of the words, such as ``no_input``; the prompt's where it has none.
            times: how often it was the cause.
        """
        said: Text | list[Text] | None = getattr(step, cause, None)
        if isinstance(said, Text):
            return self.prompt(name, (cause,), said)
        if said:
            index = min(times, len(said)) - 1
            return self.prompt(name, (cause, index), said[index])
        return self.prompt(name, ("prompt",), step.prompt)

    def group(self, name: str, step: CaptureStep, text: Text, unclear: Unclear) -> Prompt:
        """The text that asks for the one group that was not understood."""
        groups: list[str | None] = []
        digits, at = unclear.before + " " * unclear.length + unclear.after, 0
        for number, size in enumerate(step.groups):
            groups.append(None if number == unclear.group else digits[at : at + size])
            at += size
        said = {"heard": spell_groups(groups), "group": ordinal(unclear.group, len(groups))}
        values = {**self._variables.values, **said}
        language = self._flow.language(values)
        template = parse_template(text.words(language))
        return Prompt(
            fill(template, values, language or ENGLISH),
            personal=True,
            language=language,
            pieces=made_of(template, values, recording_name(name, ("unclear",)), language),
            sensitive=step.sensitive,
        )
