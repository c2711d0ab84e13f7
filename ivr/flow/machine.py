"""The dialogue: runs a flow turn by turn, without I/O, clock or audio.

Theory of operation: a dialogue alternates between two sides. It gives a `Turn` (say these prompts,
then listen, or end), and is given back one `Collected`, how that listening ended. Between the two
it waits:

    start() -> Turn -> collected() -> Turn -> ... -> collected() -> Turn with an end

noinput and nomatch are ordinary answers, and so is a wish (repeat, help, operator, start again).
Each question counts its failures: silence, no match, and,
for a captured value, the caller's no at its confirmation. After ``attempts`` of them the flow's
``on_failure`` follows. The count of a capture begins anew whenever the flow comes to it, except
after a no, whichever way the flow takes back to the question; so a caller who refuses every reading
is let go as well, and ``max_turns`` bounds flows that circle in other ways, and callers who wish
for ever. Hence every dialogue ends.

A no may say what is right ("no, five not nine"): the value is corrected and asked about again. It
counts as a no. Values that the caller refused are not heard again at that question.

A value that the flow confirms is among `Dialogue.variables` only after the caller's yes, or once
the flow itself has come to an end: a call that breaks off leaves no number behind that nobody
confirmed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ivr.errors import StateError
from ivr.flow.branch import follow
from ivr.flow.model import (
    BOOLEAN,
    AskStep,
    BranchStep,
    CaptureStep,
    ConfirmStep,
    EndStep,
    Flow,
    LookupStep,
    MenuStep,
    MessageStep,
    SayStep,
    SetStep,
    SubflowStep,
    TransferStep,
)
from ivr.flow.parts import Listening, Text
from ivr.flow.request import Answer, LookupCause, longest_s, request_of
from ivr.flow.steps import DIALLED
from ivr.flow.text import fill, parse_template
from ivr.flow.turn import BEEP, Collect, End, Lookup, Message, Prompt, Transfer, Turn
from ivr.flow.variables import Variables
from ivr.flow.wording import Wording
from ivr.grammar.corrections import correct
from ivr.grammar.grammar import parse_grammar
from ivr.recognition import Collected, CompletionCause, Unclear

__all__ = ["Collect", "Dialogue", "End", "Lookup", "Prompt", "Transfer", "Turn"]

GAVE_UP: Final = "gave_up"
HANGUP: Final = "hangup"
TRANSFERRED: Final = "transferred"
_WISHES: Final = frozenset(
    {
        CompletionCause.REPEAT,
        CompletionCause.HELP,
        CompletionCause.OPERATOR,
        CompletionCause.RESTART,
    }
)


class Dialogue:
    """One caller's way through a flow.

    Args:
        flow: a checked flow; shared by all calls, never changed.
        variables: values for the flow's ``variables`` that have none in the file, or other ones.

    Raises:
        ConfigError: a variable that the flow does not declare, or a declared one without a value.

    Attributes:
        sensitive: names of the variables that must not be stored in clear.

    State: where the call is, its variables and its counts; nothing is shared between dialogues.
    """

    def __init__(self, flow: Flow, variables: Mapping[str, str] | None = None) -> None:
        self._flow = flow
        self._variables = Variables(flow, variables or {})
        self._step: str | None = None
        self._ended = False
        self._turns = 0
        self._captured_by: dict[
            str, tuple[str, Listening]
        ] = {}  # variable -> the step, and its limits
        self._resumed: dict[str, str] = {}  # capture steps to be asked again, and why
        self._refused_values: dict[str, set[str]] = {}  # capture step -> what the caller said no to
        self._failures: dict[str, Counter[str]] = {}  # step -> how often each cause
        self._heard: dict[str, tuple[tuple[str, float], ...]] = {}  # capture step -> not sure of it
        self._group: Unclear | None = None  # asked for on its own
        self._asked: Prompt | None = None  # the last question, in the words it was put in
        self.sensitive = frozenset(
            step.capture
            for step in flow.steps.values()
            if isinstance(step, CaptureStep) and step.sensitive
        ).union(*(step.sensitive for step in flow.steps.values() if isinstance(step, LookupStep)))
        self._wording = Wording(flow, self._variables, self.sensitive)

    @property
    def step(self) -> str | None:
        """The step whose answer is waited for, or the end reached; None before `start`."""
        return self._step

    @property
    def variables(self) -> dict[str, str]:
        """What has been captured so far, and what was given at the start; a copy."""
        step = self._flow.steps.get(self._step or "")
        at_end = isinstance(step, EndStep) or (isinstance(step, TransferStep) and self._ended)
        return self._variables.shown(ended=at_end)

    def start(self) -> Turn:
        """The first turn.

        Raises:
            StateError: called before.
        """
        if self._step is not None:
            raise StateError("the dialogue has been started already")
        turn = self._enter(self._flow.start)
        return replace(turn, prompts=(*self._wording.announcement(), *turn.prompts))

    def collected(self, result: Collected) -> Turn:
        """Take how the listening ended, give the next turn.

        Raises:
            StateError: nothing is waited for, or SUCCESS came without a value that fits the step.
        """
        if self._step is None or self._ended:
            raise StateError("the dialogue waits for no answer")
        step = self._flow.steps[self._step]
        if not isinstance(step, AskStep):
            raise StateError(f"step {self._step} asks nothing")
        if result.cause is CompletionCause.HANGUP:
            return self._end((), HANGUP)
        if result.cause in _WISHES:
            return self._wished(self._step, step, result.cause)
        if result.cause is not CompletionCause.SUCCESS:
            silent = result.cause is CompletionCause.NO_INPUT_TIMEOUT
            if isinstance(step, CaptureStep) and result.n_best:
                self._heard[self._step] = result.n_best
            cause = "no_input" if silent else "no_match"
            return self._failed(self._step, step, cause, result.unclear)
        if isinstance(step, CaptureStep):
            return self._captured(self._step, step, result)
        if isinstance(step, MenuStep):
            return self._chosen(self._step, step, result)
        return self._confirmed(self._step, step, result)

    def looked_up(self, answer: Answer) -> Turn:
        """Take what a lookup came to, give the next turn.

        Raises:
            StateError: no lookup is waited for.
        """
        step = self._flow.steps[self._step or self._flow.start]
        if self._step is None or not isinstance(step, LookupStep):
            raise StateError("the dialogue waits for no lookup")
        if answer.cause is LookupCause.MISSING:
            return self._enter(step.after_missing)
        found = answer.cause is LookupCause.FOUND and self._variables.look_up(step, answer.data)
        return self._enter(step.found if found else step.failed)

    def transferred(self, done: bool) -> Turn:
        """Take whether the caller was handed on, give the next turn.

        Raises:
            StateError: no transfer is waited for.
        """
        step = self._flow.steps[self._step or self._flow.start]
        if self._step is None or self._ended or not isinstance(step, TransferStep):
            raise StateError("the dialogue waits for no transfer")
        return self._end((), TRANSFERRED) if done else self._enter(step.failed)

    def message_taken(self, recording_id: str | None) -> Turn:
        """Take the name of the caller's message, None where there is none; give the next turn.

        Raises:
            StateError: no message is waited for.
        """
        step = self._flow.steps[self._step or self._flow.start]
        if self._step is None or not isinstance(step, MessageStep):
            raise StateError("the dialogue waits for no message")
        if recording_id is None:
            return self._enter(step.on_failure)
        self._variables.capture(step.record, recording_id)
        return self._enter(step.next)

    def _captured(self, name: str, step: CaptureStep, result: Collected) -> Turn:
        if result.value is None:
            raise StateError(f"step {name} was given success without a value")
        self._variables.capture(step.capture, result.value)
        self._captured_by[step.capture] = (name, self._flow.listening(step))
        follows = step.on_ambiguous if result.ambiguous else None
        return self._enter(follows or step.next)

    def _chosen(self, name: str, step: MenuStep, result: Collected) -> Turn:
        if result.value is None:
            raise StateError(f"step {name} was given success without a choice")
        if result.value not in step.menu:  # a no where only yes is a choice
            return self._failed(name, step, "no_match")
        return self._enter(step.menu[result.value])

    def _confirmed(self, name: str, step: ConfirmStep, result: Collected) -> Turn:
        if result.value not in ("yes", "no"):
            raise StateError(f"step {name} was given neither yes nor no")
        if result.value == "yes":
            self._variables.affirm(step.confirm)
            return self._enter(step.yes)
        capturer, listening = self._captured_by[step.confirm]
        refused = self._refused_values.setdefault(capturer, set())
        value = self._variables.values[step.confirm]
        refused.add(value)
        right = self._corrected(capturer, value, result.correction)
        self._variables.drop(step.confirm)
        counts = self._failures[capturer]
        counts["rejected"] += 1
        if counts.total() >= listening.attempts:
            return self._enter(listening.on_failure or "")
        if right is not None:
            self._variables.capture(step.confirm, right)
            return self._enter(name)
        self._resumed[capturer] = "rejected"
        return self._enter(self._flow.after_no(step))

    def _corrected(self, capturer: str, value: str, words: tuple[str, ...]) -> str | None:
        """The value that the caller says is right, if the question accepts it."""
        step = self._flow.steps[capturer]
        if not words or not isinstance(step, CaptureStep):
            return None
        grammar, refused = parse_grammar(step.grammar), self._refused_values[capturer]
        read = (grammar.interpret_keys(digits) for digits, _ in correct(value, words))
        return next((right for right in read if right is not None and right not in refused), None)

    def _wished(self, name: str, step: AskStep, wish: CompletionCause) -> Turn:
        """The caller did not answer but wants something; that is no failure."""
        if wish is CompletionCause.OPERATOR:
            operator = self._flow.operator(step)
            if operator is None:
                return self._failed(name, step, "no_match")
            self._forget_answer(step)
            return self._enter(operator)
        if wish is CompletionCause.RESTART and isinstance(step, ConfirmStep):
            self._variables.drop(step.confirm)
            self._resumed[self._captured_by[step.confirm][0]] = "restarted"
            return self._enter(self._flow.after_no(step))
        cause = {CompletionCause.HELP: "help", CompletionCause.RESTART: "restarted"}.get(wish)
        return self._ask(name, step, cause or "repeat", ())

    def _failed(self, name: str, step: AskStep, cause: str, unclear: Unclear | None = None) -> Turn:
        counts = self._failures[name]
        counts[cause] += 1
        listening = self._flow.listening(step)
        if counts.total() < listening.attempts:
            if unclear is not None and isinstance(step, CaptureStep) and step.unclear is not None:
                return self._ask_group(name, step, step.unclear, unclear)
            return self._ask(name, step, cause, ())
        self._forget_answer(step)
        return self._enter(listening.on_failure or "")

    def _enter(self, name: str) -> Turn:
        """Go to a step, saying and doing what lies on the way to the next question or the end."""
        prompts: list[Prompt] = []
        step = self._flow.steps[name]
        while not isinstance(step, AskStep | EndStep):
            if isinstance(step, SayStep):
                prompts.append(self._wording.prompt(name, ("say",), step.say))
            if isinstance(step, LookupStep | TransferStep):
                if (turn := self._leave(name, step, tuple(prompts))) is not None:
                    return turn
                name = step.failed
            elif isinstance(step, MessageStep):
                return self._take_message(name, step, tuple(prompts))
            else:
                name = self._pass(name, step)
            step = self._flow.steps[name]
        self._step = name
        if isinstance(step, EndStep):
            if step.say is not None:
                prompts.append(self._wording.prompt(name, ("say",), step.say))
            return self._end(tuple(prompts), step.end)
        if isinstance(step, CaptureStep):
            self._variables.drop(step.capture)
        cause = self._resumed.pop(name, "prompt")
        if cause == "prompt":
            self._failures[name] = Counter()
            self._refused_values.pop(name, None)
            self._heard.pop(name, None)
        return self._ask(name, step, cause, tuple(prompts))

    def _leave(
        self, name: str, step: LookupStep | TransferStep, before: tuple[Prompt, ...]
    ) -> Turn | None:
        """The turn of a step that others do; None where they cannot with these values."""
        self._step = name
        said = () if step.say is None else (self._wording.prompt(name, ("say",), step.say),)
        if isinstance(step, TransferStep):
            number = fill(parse_template(step.transfer), self._variables.values)
            if not DIALLED.fullmatch(number):
                return None
            return Turn((*before, *said), transfer=Transfer(name, number))
        lookup = self._look_up(name, step)
        return None if lookup is None else Turn((*before, *said), lookup=lookup)

    def _take_message(self, name: str, step: MessageStep, before: tuple[Prompt, ...]) -> Turn:
        self._step = name
        self._variables.drop(step.record)
        self._turns += 1
        if self._turns > self._flow.max_turns:
            return self._end((), GAVE_UP)
        prompts = (*before, self._wording.prompt(name, ("prompt",), step.prompt), BEEP)
        return Turn(prompts, message=Message(name, step.max_s, step.silence_s))

    def _look_up(self, name: str, step: LookupStep) -> Lookup | None:
        """What to ask; None where that cannot be asked with these values."""
        self._variables.forget_results(step)
        request = request_of(step.lookup, self._variables.values, self._flow.kind)
        return (
            None if request is None else Lookup(name, request, longest_s(step.lookup), step.results)
        )

    def _pass(self, name: str, step: SayStep | SetStep | BranchStep | SubflowStep) -> str:
        """Do what a step does that asks nothing; the step that follows."""
        if isinstance(step, SubflowStep):
            raise StateError(f"step {name} calls a flow that was not put in its place")
        if isinstance(step, BranchStep):
            return follow(step, self._variables.values)
        if isinstance(step, SetStep):
            for variable, text in step.set.items():
                self._variables.assign(variable, text)
        return step.next

    def _ask(self, name: str, step: AskStep, cause: str, before: tuple[Prompt, ...]) -> Turn:
        """The question in the words that the cause asks for, after what was said before."""
        self._turns += 1
        if self._turns > self._flow.max_turns:
            return self._give_up(step)
        times = self._failures[name][cause]
        prompt = (
            self._asked if cause == "repeat" else self._wording.question(name, step, cause, times)
        )
        if prompt is None:
            raise StateError(f"step {name} cannot be repeated before it was asked")
        if cause != "help":
            self._asked = prompt
        if cause not in ("help", "repeat"):
            self._group = None
        return Turn((*before, prompt), collect=self._collect(name, step))

    def _ask_group(self, name: str, step: CaptureStep, text: Text, unclear: Unclear) -> Turn:
        """Asks for the one group that was not understood; the whole number is an answer too."""
        turn = self._ask(name, step, "no_match", ())
        if turn.collect is None:
            return turn
        self._group = unclear
        self._asked = self._wording.group(name, step, text, unclear)
        return Turn((self._asked,), collect=replace(turn.collect, unclear=unclear))

    def _is_sensitive(self, step: AskStep) -> bool:
        """Whether the answer is one; that to a confirmation may correct one."""
        if isinstance(step, CaptureStep):
            return step.sensitive
        return isinstance(step, ConfirmStep) and step.confirm in self.sensitive

    def _give_up(self, step: AskStep) -> Turn:
        """Too many turns: by the flow's own goodbye where failure leads straight to one."""
        self._forget_answer(step)
        name = self._flow.listening(step).on_failure or ""
        goodbye = self._flow.steps[name]
        said = goodbye.say if isinstance(goodbye, EndStep) else None
        prompts = (
            (self._wording.prompt(name, ("say",), said),) if said and not said.variables else ()
        )
        self._step = name if isinstance(goodbye, EndStep) else self._step
        return self._end(prompts, GAVE_UP)

    def _forget_answer(self, step: AskStep) -> None:
        """The question was left without an answer."""
        if isinstance(step, CaptureStep):
            self._variables.drop(step.capture)
        if isinstance(step, ConfirmStep):
            self._variables.drop(step.confirm)

    def _end(self, prompts: tuple[Prompt, ...], outcome: str) -> Turn:
        self._ended = True
        return Turn(prompts, end=End(outcome, self.variables))

    def _collect(self, name: str, step: AskStep) -> Collect:
        limits = {"attempts", "on_failure"}  # the dialogue counts, the call need not know
        return Collect(
            step=name,
            grammar=BOOLEAN if isinstance(step, ConfirmStep) else step.grammar,
            **self._flow.listening(step).model_dump(exclude=limits),
            refused=frozenset(self._refused_values.get(name, ())),
            earlier=self._heard.get(name, ()),
            unclear=self._group,
            groups=tuple(step.groups) if isinstance(step, CaptureStep) and step.unclear else (),
            attempt=self._failures[name].total() + 1,
            sensitive=self._is_sensitive(step),
            confirms=isinstance(step, ConfirmStep),
        )
