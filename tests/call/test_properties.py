"""What holds for every call: chunking changes nothing, order is kept, everything ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.actions import Action, CallSettings, Clear, Hangup, Play, Recognize
from ivr.audio.g711 import mulaw_encode
from ivr.call import Call
from ivr.flow.model import CaptureStep
from ivr.flow.schema import Flow
from ivr.grammar.grammar import parse_grammar
from ivr.providers.events import DtmfReceived, MarkPlayed, MediaReceived
from ivr.recognition import CompletionCause
from tests.call.talk import (
    STARTED,
    Talk,
    count_bursts,
    count_digits,
    heard,
    hum,
    make_flow,
    quiet,
    shape,
    spoken,
)

IMPATIENT: dict[str, Any] = {
    "no_input_timeout_s": 0.6,
    "incomplete_timeout_s": 0.5,
    "inter_digit_timeout_s": 0.5,
    "max_speech_timeout_s": 3.0,
}
MARK_TIMEOUT_S = 1.0
# No call may outlive the silence that follows: at most 2 questions, 2 failures each, and what
# max_turns allows when a no goes back, each a lost mark and a timer; and the goodbye's lost mark.
SILENCE_MS = 14_000


def flows() -> st.SearchStrategy[Flow]:
    """Flows of one or two questions, with every way to listen."""
    return st.builds(
        lambda **keys: make_flow(attempts=2, max_turns=4, **IMPATIENT, **keys),
        grammar=st.sampled_from(
            ["builtin:digits?length=4", "builtin:digits?minlength=2;maxlength=6"]
        ),
        confirm=st.booleans(),
        greeting=st.booleans(),
        goodbye=st.booleans(),
        bargein=st.booleans(),
        speech=st.booleans(),
        dtmf=st.just(True),
        term_char=st.sampled_from(["#", "*", ""]),
        star=st.sampled_from(["delete_last", "restart", "none"]),
        type_ahead=st.sampled_from(["capture", "always", "never"]),
        term_timeout_s=st.sampled_from([0, 0.3]),
        complete_timeout_s=st.sampled_from([0, 0.4]),
    )


# -- chunking --------------------------------------------------------------------------------------


def replay(flow: Flow, cuts: list[int], keys: dict[int, str] | None = None) -> list[Action]:
    """A call of 12 s whose audio is cut as told; marks, keys and answers come at fixed samples.

    Args:
        flow: of the call.
        cuts: lengths of the messages in samples, used over and over.
        keys: pressed at these tenths of a second.
    """
    audio = np.concatenate([quiet(500), spoken(2), quiet(600), spoken(2), quiet(2000), spoken(1)])
    audio = np.concatenate([audio, quiet(1500), hum(400), quiet(4000)])
    call = Call(flow)
    actions = call.receive(STARTED)
    pending: list[Recognize] = []
    lengths = iter(cuts * (audio.shape[0] // sum(cuts) + 1))
    step = 800  # every 100 ms the other end has its say
    for start in range(0, audio.shape[0], step):
        at, end = start, min(start + step, audio.shape[0])
        fresh: list[Action] = []
        while at < end:
            length = min(next(lengths, end - at), end - at)
            fresh += call.receive(MediaReceived(mulaw_encode(audio[at : at + length])))
            at += length
        if start == 12 * step:
            fresh += [a for n in range(4) for a in call.receive(MarkPlayed(f"p{n}"))]
        for key in (keys or {70: "2"}).get(start // step, ""):
            fresh += call.receive(DtmfReceived(key))
        for request in pending:
            fresh += call.recognized(request.utterance_id, count_digits(request), 20.0)
        pending = [action for action in fresh if isinstance(action, Recognize)]
        actions += fresh
    return actions


@given(
    flow=flows(),
    cuts=st.lists(st.integers(1, 1200), min_size=1, max_size=12),
    keys=st.dictionaries(st.integers(0, 120), st.text("0123456789*#", min_size=1), max_size=5),
)
@settings(max_examples=25)
def test_actions_do_not_depend_on_chunking(
    flow: Flow, cuts: list[int], keys: dict[int, str]
) -> None:
    """20 ms frames, single samples, seconds at once: the same actions in the same order."""
    if sum(cuts) < 40 * len(cuts):
        cuts = [cut + 40 for cut in cuts]  # single samples are tried below, once
    assert shape(replay(flow, cuts, keys)) == shape(replay(flow, [160], keys))


def test_single_samples_give_the_same_call() -> None:
    """The worst provider: one byte a message."""
    flow = make_flow(confirm=True)
    assert shape(replay(flow, [1])) == shape(replay(flow, [160]))


# -- order and ends --------------------------------------------------------------------------------

WORDS = (
    *("four", "one", "fifty", "oh", "double", "<other>", "yes", "no", "not", "last", "two"),
    *("repeat", "help", "operator", "start", "again", "cancel"),
)
STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([20, 100, 300, 700, 1500])),
    st.tuples(st.just("hum"), st.sampled_from([200, 600])),
    st.tuples(st.just("press"), st.text("0123456789*#", min_size=1, max_size=6)),
    st.tuples(st.just("marks"), st.just(0)),
    st.tuples(st.just("mark"), st.sampled_from(["p1", "p2", "p3", "p9", "x"])),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("stale"), st.integers(0, 3)),
    st.tuples(st.just("tick"), st.sampled_from([0.1, 5.0])),
    st.tuples(st.just("hears"), st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)),
)


def perform(talk: Talk, kind: str, value: object) -> None:
    """One thing that callers, providers and recognisers do."""
    match kind, value:
        case "say", int(digits):
            talk.say(digits)
        case "wait", int(ms):
            talk.wait(ms)
        case "hum", int(ms):
            talk.hear(hum(ms))
        case "press", str(keys):
            talk.press(keys, gap_ms=40)
        case "marks", _:
            talk.played()
        case "mark", str(name):
            talk.mark(name)
        case "hold", bool(holds):
            talk.holds = holds
        case "hears", str(words):
            talk.recognizer = lambda _: heard(words)
        case "fail", bool(fails):
            talk.recognizer = (lambda _: None) if fails else count_digits
        case "stale", int(index):
            for request in talk.requests[index : index + 1]:
                talk.answer(request, count_digits(request))
        case "tick", float(stalled_s):
            talk._note(talk.call.tick(stalled_s))


def grammar_of(talk: Talk) -> str:
    """The grammar of the flow's capture."""
    (step,) = (s for s in talk.flow.steps.values() if isinstance(s, CaptureStep))
    return step.grammar


def check(talk: Talk) -> None:
    """What every call keeps to, at every moment."""
    ends = [index for index, a in enumerate(talk.actions) if isinstance(a, Hangup)]
    assert len(ends) <= 1
    if ends:
        assert ends[0] == len(talk.actions) - 1, "nothing comes after the hang-up"
        assert talk.call.ended
    marks = [action.mark for action in talk.actions if isinstance(action, Play)]
    assert len(set(marks)) == len(marks)
    ids = [request.utterance_id for request in talk.requests]
    assert ids == sorted(set(ids))
    playing = False
    for action in talk.actions:
        if isinstance(action, Clear):
            assert playing, "a clear stops something, once"
        playing = isinstance(action, Play) or (playing and not isinstance(action, Clear))
    for turn in talk.call.turns:
        if turn.collected is not None:
            value = turn.collected.value
            accepted = "builtin:boolean" if value in ("yes", "no") else grammar_of(talk)
            assert value in (None, "no", "yes") or parse_grammar(accepted).interpret_keys(value)
            assert 0.0 <= turn.collected.confidence <= 1.0
            assert (turn.collected.value is not None) == (
                turn.collected.cause is CompletionCause.SUCCESS
            )
            if turn.prompt_end_ms is not None:
                assert not turn.collected.barged_in


@given(flow=flows(), steps=st.lists(STEPS, max_size=12), delay_ms=st.sampled_from([20, 300, 900]))
@settings(max_examples=40)
def test_every_call_ends(flow: Flow, steps: list[tuple[str, object]], delay_ms: int) -> None:
    """A caller who says nothing more is hung up on, once, though every later mark is lost."""
    call_settings = CallSettings(mark_timeout_s=MARK_TIMEOUT_S)
    talk = Talk(flow, delay_ms=delay_ms, settings=call_settings).start()
    for kind, value in steps:
        perform(talk, kind, value)
        check(talk)
    talk.holds = False
    talk.wait(SILENCE_MS)
    check(talk)
    assert len(talk.hangups) == 1
    assert talk.call.outcome in {"completed", "gave_up"}


@given(flow=flows(), steps=st.lists(STEPS, max_size=8))
@settings(max_examples=25)
def test_hangup_by_the_caller_ends_every_call(flow: Flow, steps: list[tuple[str, object]]) -> None:
    """In every state the caller may go, and no action follows."""
    talk = Talk(flow).start()
    for kind, value in steps:
        perform(talk, kind, value)
    before = len(talk.actions)
    talk.hang_up().wait(2000).press("1").played()
    assert talk.actions[before:] == []
    assert talk.call.ended
    assert talk.call.outcome != "unfinished"
    check(talk)


@given(flow=flows(), period_ms=st.integers(100, 1500))
@settings(max_examples=10)
def test_noise_for_ever_ends_the_call(flow: Flow, period_ms: int) -> None:
    """A line that hums on and off is a silent caller, not an endless call."""
    talk = Talk(flow, settings=CallSettings(mark_timeout_s=MARK_TIMEOUT_S)).start()
    for _ in range(60_000 // (period_ms + 300)):
        talk.hear(hum(300)).wait(period_ms)
        if talk.call.ended:
            break
    assert talk.call.ended
    check(talk)


# -- keys ------------------------------------------------------------------------------------------


@given(
    keys=st.text("0123456789", min_size=1, max_size=10),
    gaps=st.lists(st.sampled_from([20, 100, 700, 1500]), min_size=10, max_size=10),
    played_after=st.integers(0, 10),
    bargein=st.booleans(),
)
@settings(max_examples=25)
def test_no_key_is_lost(keys: str, gaps: list[int], played_after: int, bargein: bool) -> None:
    """During the prompt or after it, fast or slowly: the number is what was keyed."""
    flow = make_flow("builtin:digits?minlength=1;maxlength=20", bargein=bargein)
    talk = Talk(flow).start()
    for at, (key, gap) in enumerate(zip(keys, gaps, strict=False)):
        if at == played_after:
            talk.played()
        talk.press(key, gap_ms=gap)
    talk.press("#").played().wait(100)
    assert talk.values == [keys]


@given(
    parts=st.lists(
        st.one_of(st.text("0123456789", min_size=1, max_size=3), st.just("say")), max_size=5
    ),
    delay_ms=st.sampled_from([20, 300, 900]),
)
@settings(max_examples=15)
def test_speech_and_keys_keep_their_order(parts: list[str], delay_ms: int) -> None:
    """However slow the recogniser: each part stands where it was given, and no key is lost."""
    talk = Talk(
        make_flow("builtin:digits?minlength=1;maxlength=40", inter_digit_timeout_s=9.0),
        recognizer=lambda r: heard("eight" if count_bursts(r.samples) else ""),
        delay_ms=delay_ms,
    )
    talk.start().played().wait(300)
    expected = ""
    before = ""
    for part in [*parts, "7"]:
        if part != "say":
            talk.press(part, gap_ms=60)
            expected += part
        elif before != "say":  # twice in a row is one utterance
            talk.say(1)
            expected += "8"
        before = part
    talk.press("#").wait(delay_ms + 100)
    assert talk.values == [expected]
