"""Texts in several languages: one is chosen by a variable, and none may be lacking."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import FlowError
from ivr.flow.machine import Dialogue
from ivr.flow.saying import fixed_parts, fixed_prompts
from ivr.flow.schema import load_flow, parse_flow
from ivr.recognition import Collected, CompletionCause
from ivr.rehearsal import Rehearsal

FLOW = """\
flow: speaking
start: choose
languages: [en, es]
variables: {balance: "12.50"}
types: {balance: amount}
defaults: {on_failure: bye}
steps:
  choose:
    menu: {1: tell, 2: spanish, "*": choose, "#": bye}
    prompt: {en: "One, or two.", es: "Uno o dos."}
    no_input: [{en: "Hello?", es: "Hola?"}]
  spanish: {set: {language: es}, next: tell}
  tell:
    say: {en: "You have {balance:amount}.", es: "Tiene {balance:amount}."}
    next: choose
  bye: {end: over, say: {by_language: {en: Bye., es: Adiós.}, recording: bye}}
"""


def keyed(dialogue: Dialogue, key: str) -> list[tuple[str, str | None]]:
    """What is said after a key, and in which language."""
    turn = dialogue.collected(Collected(CompletionCause.SUCCESS, key))
    return [(prompt.text, prompt.language) for prompt in turn.prompts]


def test_a_variable_chooses_the_language() -> None:
    """The first is spoken until it does; values are spoken in it as well."""
    dialogue = Dialogue(parse_flow(FLOW))
    assert dialogue.start().prompts[0].language == "en"
    assert keyed(dialogue, "1") == [
        ("You have 12 dollars and 50 cents.", "en"),
        ("One, or two.", "en"),
    ]
    assert keyed(dialogue, "2") == [
        ("Tiene 12 dólares con 50 centavos.", "es"),
        ("Uno o dos.", "es"),
    ]
    assert keyed(dialogue, "#") == [("Adiós.", "es")]


def test_what_is_fixed_is_known_in_each_language() -> None:
    """For rendering ahead, and for recording."""
    flow = parse_flow(FLOW)
    fixed = {(prompt.text, prompt.language, prompt.recording) for prompt in fixed_prompts(flow)}
    assert ("Uno o dos.", "es", "choose.prompt") in fixed
    assert ("Bye.", "en", "bye") in fixed
    parts = {(prompt.text, prompt.language) for prompt in fixed_parts(flow)}
    assert ("Tiene ", "es") in parts


def test_a_flow_of_one_language_needs_no_mapping() -> None:
    """Its texts are in that language."""
    flow = parse_flow("{flow: x, start: a, languages: [de], steps: {a: {end: b, say: Hallo.}}}")
    assert Dialogue(flow).start().prompts[0].language == "de"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (', es: "Uno o dos."', "", r"choose\.prompt: is not said in es; write {en: ..., es: ...}"),
        (', es: "Uno o dos."', ", fr: Un", "fr is none of the languages"),
        ('{en: "One, or two.", es: "Uno o dos."}', "One.", "is not said in en"),
        ("languages: [en, es]\n", "", "en is none of the languages"),
        ("{language: es}", "{language: it}", "is none of the languages; write en or es"),
        ("[en, es]", "[en, English]", 'cannot be "English"'),
        ("es: Adiós.", "es: ''", r"steps\.bye\.say"),
        ("Tiene {balance:amount}", "Tiene {balans}", 'unknown variable "balans"'),
        ("Tiene {balance:amount}", "Tiene {balance:date}", "cannot be spoken as date"),
    ],
)
def test_a_mistake_is_told(old: str, new: str, message: str) -> None:
    """In whichever language it is."""
    with pytest.raises(FlowError, match=message.replace("{", r"\{").replace("...", r"\.\.\.")):
        parse_flow(FLOW.replace(old, new, 1))


SUB = """\
flow: sub
start: greet
languages: [en, es]
variables: {name: , language: en}
steps:
  greet: {say: {en: "Hello {name}.", es: "Hola {name}."}, next: done}
  done: {end: done}
"""


def test_called_flows_speak_the_language_of_the_call(tmp_path: Path) -> None:
    """There is one language a call; what a called flow would begin with does not matter."""
    call = '{subflow: sub.yaml, arguments: {name: "{language}"}, ends: {done: bye}}'
    text = FLOW.replace('"#": bye', '"#": greet').replace("  bye:", f"  greet: {call}\n  bye:", 1)
    text = text.replace("variables: {", "variables: {language: en, ")
    (tmp_path / "main.yaml").write_text(text)
    (tmp_path / "sub.yaml").write_text(SUB)
    rehearsal = Rehearsal(load_flow(tmp_path / "main.yaml"))
    rehearsal.answer("2")
    rehearsal.answer("#")
    assert [prompt.text for prompt in rehearsal.prompts] == ["Hola es.", "Adiós."]
    (tmp_path / "sub.yaml").write_text(SUB.replace("[en, es]", "[es, en]"))
    with pytest.raises(FlowError, match="speaks other languages"):
        load_flow(tmp_path / "main.yaml")


def test_star_and_hash_are_choices() -> None:
    """Where they are, they neither take back nor end."""
    rehearsal = Rehearsal(parse_flow(FLOW))
    collected = rehearsal.answer("*")
    assert collected is not None
    assert (collected.cause, collected.value) == (CompletionCause.SUCCESS, "*")
    collected = rehearsal.answer("one")
    assert collected is not None
    assert collected.value == "1"
    rehearsal.answer("#")
    assert rehearsal.end is not None
