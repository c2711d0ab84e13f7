"""Prompt texts: placeholders, groups of digits, braces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow.spoken import LANGUAGES, spell_digits
from ivr.flow.text import Placeholder, fill, names, parse_template

DIGIT_WORDS = LANGUAGES["en"].digits


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("Hello.", ("Hello.",)),
        ("", ()),
        ("{name}", (Placeholder("name"),)),
        ("I have {account:digits}.", ("I have ", Placeholder("account", (4,)), ".")),
        ("{a:digits 3 3 4}", (Placeholder("a", (3, 3, 4)),)),
        ("{a}{b_2}", (Placeholder("a"), Placeholder("b_2"))),
        ("{{x}}", ("{", "x", "}")),
        ("{{{x}}}", ("{", Placeholder("x"), "}")),
    ],
)
def test_texts_are_cut(text: str, template: tuple[str | Placeholder, ...]) -> None:
    """Literals, placeholders and doubled braces are told apart."""
    assert parse_template(text) == template


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a { b", 'a lone "{"'),
        ("a } b", 'a lone "}"'),
        ("{}", '"{}" is no placeholder'),
        ("{Account}", '"{Account}" is no placeholder'),
        ("{account:}", '"{account:}" is no placeholder'),
        ("{account:words}", '"{account:words}" is no placeholder'),
        ("{account:digits 0}", '"{account:digits 0}" is no placeholder'),
        ("{account:digits  4}", '"{account:digits  4}" is no placeholder'),
        ("{account:digits 400}", '"{account:digits 400}" is no placeholder'),
        ("{ account }", '"{ account }" is no placeholder'),
        ("{account.__class__}", '"{account.__class__}" is no placeholder'),
    ],
)
def test_wrong_braces_are_named(text: str, message: str) -> None:
    """What is no placeholder is an error that shows it and says how to write one."""
    with pytest.raises(ValueError, match="; write ") as caught:
        parse_template(text)
    assert str(caught.value).startswith(message)


def test_names_come_in_order() -> None:
    """The variables of a text, repeated ones too."""
    assert names(parse_template("{b} and {a:digits} and {b}")) == ("b", "a", "b")
    assert names(parse_template("none")) == ()


def test_values_are_filled_in() -> None:
    """Digits are spelled, plain values stand as they are, braces are single."""
    template = parse_template("{{{name}}}: {account:digits}, {amount} dollars")
    filled = fill(template, {"name": "Ann", "account": "415500", "amount": "105"})
    assert filled == "{Ann}: four one five five, zero zero, 105 dollars"


def test_a_value_is_not_a_template() -> None:
    """Braces in a value are spoken text, never looked into again."""
    assert fill(parse_template("{a}"), {"a": "{b}", "b": "secret"}) == "{b}"


@pytest.mark.parametrize(
    ("value", "groups", "spoken"),
    [
        ("41550012", (4,), "four one five five, zero zero one two"),
        ("415", (4,), "four one five"),
        ("41550", (4,), "four one five five, zero"),
        ("4155001", (3, 4), "four one five, five zero zero one"),
        ("415500126", (2,), "four one, five five, zero zero, one two, six"),
        ("1234567890", (3, 3, 4), "one two three, four five six, seven eight nine zero"),
        ("", (4,), ""),
        ("+1 (415) 550", (4,), "one four one five, five five zero"),
        ("ab12", (4,), "A B one two"),
    ],
)
def test_digits_are_spoken_in_groups(value: str, groups: tuple[int, ...], spoken: str) -> None:
    """Groups are divided by commas; the last size repeats; letters are named, signs are not."""
    assert spell_digits(value, groups) == spoken


@settings(deadline=None)
@given(st.text("0123456789", max_size=30), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_no_digit_is_lost(value: str, groups: list[int]) -> None:
    """What is spoken, read word by word, is the value again, whatever the groups."""
    words = spell_digits(value, tuple(groups)).replace(",", "").split()
    assert "".join(str(DIGIT_WORDS.index(word)) for word in words) == value


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_cut_or_refused(text: str) -> None:
    """Nothing but a ValueError comes out of parsing, and a text without braces is itself."""
    try:
        template = parse_template(text)
    except ValueError:
        assert set("{}") & set(text)
        return
    if not set("{}") & set(text):
        assert template == ((text,) if text else ())
