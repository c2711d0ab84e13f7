"""Grammars word by word and key by key, and the errors of their URIs."""

from __future__ import annotations

import pytest

from ivr.errors import ConfigError
from ivr.grammar import Grammar, State, parse_grammar, progress
from ivr.grammar.automaton import Automaton
from ivr.grammar.digits import Length
from ivr.grammar.readers import DigitReader

EIGHT = parse_grammar("builtin:digits?length=8")
THREE = parse_grammar("builtin:digits?length=3")
NUMBER = parse_grammar("builtin:number?min=1;max=999")
BOOLEAN = parse_grammar("builtin:boolean")
NATURAL = parse_grammar("builtin:natural")


def walk(grammar: Grammar, words: str) -> State:
    """The state after words that must be alive."""
    state = grammar.walk(words.split())
    assert state is not None, words
    return state


@pytest.mark.parametrize(
    ("uri", "words", "values"),
    [
        ("builtin:digits", "four one five five", ("4155",)),
        ("builtin:digits?length=8", "fifty one fifteen double oh twelve", ("51150012",)),
        ("builtin:digits?length=3", "fifty one", ("501",)),
        ("builtin:digits?length=2", "fifty one", ("51",)),
        ("builtin:digits?minlength=2;maxlength=3", "fifty one", ("51", "501")),
        ("builtin:digits?length=3", "nine hundred", ("900",)),
        ("builtin:digits?length=4", "one hundred five", ("1005",)),
        (
            "builtin:digits?length=10",
            "eight hundred five five five one two one two",
            ("8005551212",),
        ),
        ("builtin:digits?length=3", "triple oh", ("000",)),
        ("builtin:number?min=1;max=999", "one hundred and five", ("105",)),
        ("builtin:number?min=1;max=999", "one oh five", ("105",)),
        ("builtin:number?min=1;max=999", "twenty five", ("25", "205")),
        ("builtin:number?min=1;max=99", "twenty five", ("25",)),
        ("builtin:number", "zero", ("0",)),
        ("builtin:number?min=1000", "two thousand and five", ("2005",)),
        ("builtin:boolean", "yeah", ("yes",)),
        ("builtin:boolean", "no nope", ("no",)),
        ("builtin:boolean", "no not correct", ("no",)),
        ("builtin:natural", "one hundred five", ("105",)),
        ("builtin:natural", "help yes", ("yes",)),
        ("builtin:natural", "help", ()),
        ("builtin:digits?length=4|builtin:boolean", "four one five five", ("4155",)),
        ("builtin:digits?length=4|builtin:boolean", "nope", ("no",)),
        ("builtin:digits?length=4 | builtin:number?max=99", "twenty", ("20",)),
        ("builtin:number?max=99|builtin:digits?length=2", "five six", ("56",)),
    ],
)
def test_words_have_the_values_that_the_grammar_accepts(
    uri: str, words: str, values: tuple[str, ...]
) -> None:
    """Every accepted reading, best first, and nothing else."""
    state = walk(parse_grammar(uri), words)
    assert state.values == values
    assert state.complete == bool(values)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("builtin:digits?length=2", "four one five"),
        ("builtin:digits?length=2", "one hundred"),
        ("builtin:digits?length=3", "five six hundred"),
        ("builtin:digits?length=4", "four help"),
        ("builtin:digits", "four point"),
        ("builtin:digits", "a five"),
        ("builtin:digits", "double twenty"),
        ("builtin:digits", "banana"),
        ("builtin:number?min=1;max=999", "zero"),
        ("builtin:number?min=1;max=999", "oh five"),
        ("builtin:number?min=1;max=999", "one thousand"),
        ("builtin:number?min=1;max=12", "thirteen"),
        ("builtin:number?min=100;max=199", "two"),
        ("builtin:boolean", "yes no"),
        ("builtin:boolean", "yes not"),
        ("builtin:boolean", "five"),
        ("builtin:digits?length=4|builtin:boolean", "yes five"),
    ],
)
def test_words_that_cannot_become_an_answer_are_dead(uri: str, words: str) -> None:
    """Refused at the first word that leaves no accepted continuation."""
    assert parse_grammar(uri).walk(words.split()) is None


@pytest.mark.parametrize(
    ("uri", "words", "complete", "can_grow"),
    [
        ("builtin:digits?length=4", "", False, True),
        ("builtin:digits?length=4", "four one five", False, True),
        ("builtin:digits?length=4", "four one five five", True, False),
        ("builtin:digits?length=4", "four one five and", False, True),
        ("builtin:digits?length=4", "one hundred and five", False, True),  # never 1005
        ("builtin:digits?length=2", "fifty", True, True),  # fifty one
        ("builtin:digits?length=2", "fifty one", True, False),
        ("builtin:digits?length=3", "one hundred", True, True),  # one hundred and five
        ("builtin:digits?length=3", "one hundred and", False, True),
        ("builtin:digits?length=3", "one hundred and twenty", True, True),
        ("builtin:digits?length=3", "one hundred and twelve", True, False),
        ("builtin:digits?length=4", "double", False, True),
        ("builtin:digits?minlength=2;maxlength=3", "four one", True, True),
        ("builtin:digits", "four", True, True),
        ("builtin:number?min=1;max=999", "five", True, True),
        ("builtin:number?min=1;max=999", "one oh five", True, False),
        ("builtin:number?min=1;max=9", "five", True, False),
        ("builtin:number?min=0;max=9", "zero", True, False),
        ("builtin:boolean", "", False, True),
        ("builtin:boolean", "yes", True, False),
        ("builtin:boolean", "not", False, True),
        ("builtin:boolean", "no not", False, True),
        ("builtin:digits?length=4|builtin:boolean", "no", True, False),
    ],
)
def test_progress_tells_the_endpointer_whether_to_wait(
    uri: str, words: str, complete: bool, can_grow: bool
) -> None:
    """Complete and unable to grow ends at once; whatever could go on is waited for."""
    found = progress(parse_grammar(uri), words.split())
    assert (found.complete, found.can_grow) == (complete, can_grow)


def test_progress_of_dead_words_is_neither() -> None:
    """Words that are no answer are not complete and cannot become so."""
    found = progress(EIGHT, ["help"])
    assert not found.complete
    assert not found.can_grow


def test_other_speech_leaves_a_state_as_it_is() -> None:
    """`<other>` is for the interpretation to judge; the very same state comes back."""
    state = walk(EIGHT, "four one")
    assert EIGHT.advance(state, "<other>") is state


def test_a_cheaper_reading_comes_first_with_its_cost() -> None:
    """A caller of the state can see whether the second reading is a true doubt."""
    readings = walk(NUMBER, "one hundred twenty five").readings
    assert readings == (("125", 0),)
    assert walk(parse_grammar("builtin:digits"), "fifty one").readings == (("51", 0), ("501", 4))


def test_alternatives_with_the_same_value_give_it_once() -> None:
    """Two alternatives may accept the same string."""
    assert walk(parse_grammar("builtin:digits|builtin:number"), "five").values == ("5",)


def test_many_readings_are_all_alive() -> None:
    """Eight ambiguous pairs: the length picks a reading however unlikely, and lists end at 64."""
    words = " ".join(["twenty one"] * 8)
    assert len(walk(parse_grammar("builtin:digits"), words).values) == 64
    assert walk(parse_grammar("builtin:digits?length=16"), words).values == ("21" * 8,)
    assert walk(parse_grammar("builtin:digits?length=24"), words).values == ("201" * 8,)


def test_next_words_are_those_that_advance() -> None:
    """The decoder's mask agrees with the automaton."""
    state = walk(THREE, "four one")
    assert {"five", "oh", "nought", "and"} <= state.next_words
    assert not {"fifteen", "fifty", "double", "hundred", "yes"} & state.next_words
    for word in THREE.words:
        assert (THREE.advance(state, word) is not None) == (word in state.next_words)


def test_states_are_values() -> None:
    """Equal words give equal, hashable, immutable states; other words or grammars do not."""
    assert walk(EIGHT, "four one") == walk(EIGHT, "four <other> one")
    assert len({walk(EIGHT, "four one"), walk(EIGHT, "four one"), walk(EIGHT, "one four")}) == 2
    assert walk(EIGHT, "four") != walk(THREE, "four")
    with pytest.raises(AttributeError):
        walk(EIGHT, "four").words = ()  # type: ignore[misc]


def test_a_state_does_not_show_what_was_said() -> None:
    """Digits are personal data: a logged state or traceback must not hold them."""
    assert "four" not in repr(walk(EIGHT, "four one"))
    assert "four" not in str(walk(EIGHT, "four one"))


def test_nodes_do_not_depend_on_the_digits() -> None:
    """Different digits, same future: the automaton stays small and remembers no caller."""
    one, other = walk(EIGHT, "four one five"), walk(EIGHT, "nine oh one")
    assert one.next_words == other.next_words
    assert one._node.configurations != frozenset()
    assert walk(EIGHT, "four one five")._node is walk(EIGHT, "nine two one")._node


def test_a_full_table_starts_anew_without_losing_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a grammar is bounded; states in use go on working."""
    monkeypatch.setattr("ivr.grammar.automaton.MAX_NODES", 3)
    grammar = Grammar("test", [DigitReader(Length(8, 8))])
    state = grammar.start()
    for word in ["fifty", "one", "fifteen", "double", "oh", "twelve"]:
        following = grammar.advance(state, word)
        assert following is not None
        state = following
        assert len(grammar._automaton._nodes) <= 3
    assert state.values == ("51150012",)
    assert state == grammar.walk(["fifty", "one", "fifteen", "double", "oh", "twelve"])


def test_unknown_words_do_not_fill_memory() -> None:
    """A stream of made-up words is refused without being remembered for ever."""
    automaton = Automaton([DigitReader(Length(8, 8))])
    start = automaton.start()
    assert all(automaton.advance(start, f"word{n}") is None for n in range(1000))
    assert len(start.following) <= 256


@pytest.mark.parametrize(
    ("uri", "keys", "value", "can_grow"),
    [
        ("builtin:digits?length=4", "4155", "4155", False),
        ("builtin:digits?length=4", "415", None, True),
        ("builtin:digits?length=4", "41555", None, False),
        ("builtin:digits", "0", "0", True),
        ("builtin:digits", "", None, True),
        ("builtin:digits", "4*", None, False),
        ("builtin:number?min=1;max=999", "105", "105", False),
        ("builtin:number?min=1;max=999", "10", "10", True),
        ("builtin:number?min=1;max=999", "05", None, False),
        ("builtin:number?min=1;max=12", "5", "5", False),
        ("builtin:boolean", "1", "yes", False),
        ("builtin:boolean", "2", "no", False),
        ("builtin:boolean", "3", None, False),
        ("builtin:boolean", "", None, True),
        ("builtin:natural", "4155", "4155", True),
        ("builtin:digits?length=4|builtin:boolean", "1", "yes", True),
        ("builtin:digits?length=4|builtin:boolean", "1234", "1234", False),
    ],
)
def test_keys_are_read_like_words(uri: str, keys: str, value: str | None, can_grow: bool) -> None:
    """The same grammar over the keypad; boolean takes 1 for yes and 2 for no."""
    grammar = parse_grammar(uri)
    assert grammar.interpret_keys(keys) == value
    assert grammar.keys_complete(keys) == (value is not None)
    assert grammar.keys_can_grow(keys) == can_grow


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("", "builtin:NAME"),
        ("digits", "builtin:NAME"),
        ("builtin:", "builtin:NAME"),
        ("file:digits.grxml", "builtin:NAME"),
        ("builtin:digits|", "builtin:NAME"),
        ("builtin:digit", "did you mean 'digits'"),
        ("builtin:time", "unknown builtin 'time'"),
        ("builtin:digits?lenght=8", "did you mean 'length'"),
        ("builtin:number?length=8", "unknown parameter 'length'"),
        ("builtin:boolean?y=1", "unknown parameter 'y' of builtin:boolean (known: none)"),
        ("builtin:digits?length=eight", "length must be a whole number"),
        ("builtin:digits?length=", "length must be a whole number"),
        ("builtin:digits?length", "length must be a whole number"),
        ("builtin:digits?length=-1", "length must be a whole number"),
        ("builtin:digits?length=²", "length must be a whole number"),
        ("builtin:digits?length=0", "at least 1 digit"),
        ("builtin:digits?minlength=0", "at least 1 digit"),
        ("builtin:digits?maxlength=0", "at least 1 digit"),
        ("builtin:digits?length=101", "at most 100 digits"),
        ("builtin:digits?length=8;length=9", "length is given twice"),
        ("builtin:digits?length=8;maxlength=9", "either length"),
        ("builtin:digits?values=101;length=3", "leave out the other parameters"),
        ("builtin:digits?values=101,1o2", "values must be numbers separated by commas"),
        ("builtin:digits?values=", "values must be numbers separated by commas"),
        ("builtin:digits?length=4,8", "length must be a whole number"),
        ("builtin:digits?minlength=9;maxlength=8", "minlength 9 is more than maxlength 8"),
        ("builtin:digits?check=", "check must be the name of a check digit, as in check=luhn"),
        ("builtin:digits?check=lun", "unknown check 'lun', did you mean 'luhn'?"),
        ("builtin:digits?check=mod11", "check=mod11 needs length or maxlength"),
        ("builtin:digits?minlength=5;check=verhoeff", "check=verhoeff needs length or maxlength"),
        ("builtin:digits?length=8;check=aba", "no digits fulfil length and check together"),
        ("builtin:digits?values=59;check=luhn", "leave out the other parameters"),
        ("builtin:digits?prefix=41,x", "prefix must be numbers separated by commas, as in"),
        ("builtin:digits?length=3;prefix=4155", "no digits fulfil length and prefix together"),
        ("builtin:digits?pattern=", "pattern must be a regular expression over digits, as in"),
        ("builtin:digits?pattern=4(1|2", "pattern '4(1|2': a ( without its )"),
        ("builtin:digits?pattern=4|5", "'5' is not a grammar"),
        ("builtin:digits?maxlength=4;pattern=\\d{5}", "no digits fulfil maxlength and pattern"),
        ("builtin:digits?values=59;pattern=5.", "leave out the other parameters"),
        ("builtin:digits?pattern=(.*1.{20}|.*2.{30})", "too many-sided"),
        ("builtin:number?min=9;max=8", "min 9 is more than max 8"),
        ("builtin:date?order=myd", "order must be mdy or dmy or ymd, as in order=mdy"),
        ("builtin:date?minyear=69", "minyear 69 to maxyear 2099 must be years of four digits"),
        ("builtin:date?minyear=2100", "minyear 2100 to maxyear 2099 must be years of four digits"),
        ("builtin:date?minyear=1000", "must be 300 years at most"),
        ("builtin:phone?country=de", "country must be us, as in country=us"),
        ("builtin:amount?max=12.5", "max must be dollars, with two digits of cents or none"),
        ("builtin:amount?max=.50", "max must be dollars, with two digits of cents or none"),
        ("builtin:amount?min=2;max=1.99", "min 2.00 is more than max 1.99"),
        ("builtin:number?max=" + "9" * 5000, "max must be a whole number"),
    ],
)
def test_a_wrong_grammar_is_named_with_its_cure(uri: str, named: str) -> None:
    """The author of a flow reads what is wrong and what would be right."""
    with pytest.raises(ConfigError) as caught:
        parse_grammar(uri)
    assert named in str(caught.value)
    assert repr(uri) in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["builtin:digits?", "builtin:digits?length = 8 ;", " builtin:boolean "]
)
def test_spaces_and_empty_parameters_are_harmless(uri: str) -> None:
    """A URI from a YAML file may have them."""
    assert parse_grammar(uri).start().can_grow


def test_a_grammar_is_parsed_once() -> None:
    """The automaton's table is worth keeping between utterances and calls."""
    assert parse_grammar("builtin:digits?length=8") is EIGHT
    assert EIGHT.uri in repr(EIGHT)
