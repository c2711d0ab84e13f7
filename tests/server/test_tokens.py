"""Call tokens on a clock of the test's own."""

from __future__ import annotations

import pytest

from ivr.errors import Overloaded
from ivr.server import tokens as tokens_module
from ivr.server.tokens import CallTokens, TokenVerdict


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def test_token_is_good_once() -> None:
    """A second use of a token is as good as none."""
    tokens = CallTokens(60.0, Clock())
    token = tokens.issue("CA1")
    assert tokens.redeem(token, "CA1").verdict is TokenVerdict.ACCEPTED
    assert tokens.redeem(token, "CA1").verdict is TokenVerdict.UNKNOWN


def test_token_expires() -> None:
    """At the end of its life a token is expired, later it is forgotten."""
    clock = Clock()
    tokens = CallTokens(60.0, clock)
    early, late, forgotten = tokens.issue("CA1"), tokens.issue("CA1"), tokens.issue("CA1")
    clock.now_s += 59.9
    assert tokens.redeem(early, "CA1").verdict is TokenVerdict.ACCEPTED
    clock.now_s += 0.1
    assert tokens.redeem(late, "CA1").verdict is TokenVerdict.EXPIRED
    clock.now_s += 60.1
    tokens.issue("CA2")
    assert tokens.redeem(forgotten, "CA1").verdict is TokenVerdict.UNKNOWN


def test_token_remembers_the_flow() -> None:
    """What the webhook's address named is known when the stream comes, and to nobody else."""
    tokens = CallTokens(60.0, Clock())
    token = tokens.issue("CA1", flow="payment")
    assert tokens.redeem(token, "CA1").flow == "payment"
    assert tokens.redeem(token, "CA1").flow is None
    assert tokens.redeem(tokens.issue("CA1", flow="payment"), "CA2").flow is None


def test_token_is_of_one_call() -> None:
    """A token of another call is used up by the attempt."""
    tokens = CallTokens(60.0, Clock())
    token = tokens.issue("CA1")
    assert tokens.redeem(token, "CA2").verdict is TokenVerdict.OTHER_CALL
    assert tokens.redeem(token, "CA1").verdict is TokenVerdict.UNKNOWN


def test_token_without_a_call_is_good_for_any() -> None:
    """A webhook without a call id gives a token that is not bound."""
    tokens = CallTokens(60.0, Clock())
    assert tokens.redeem(tokens.issue(None), "CA7").verdict is TokenVerdict.ACCEPTED


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "x" * 100_000])
def test_any_text_may_be_shown(token: str) -> None:
    """Whatever a stream shows as its token is unknown, never an error."""
    assert CallTokens(60.0, Clock()).redeem(token, "CA1").verdict is TokenVerdict.UNKNOWN


def test_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of webhooks is refused rather than remembered, until the old ones are forgotten."""
    monkeypatch.setattr(tokens_module, "_MAX_OUTSTANDING", 3)
    clock = Clock()
    tokens = CallTokens(60.0, clock)
    for _ in range(3):
        tokens.issue("CA1")
    with pytest.raises(Overloaded):
        tokens.issue("CA1")
    clock.now_s += 121
    assert tokens.issue("CA1")


def test_tokens_are_not_kept_in_clear() -> None:
    """What is in memory cannot be used as a token."""
    tokens = CallTokens(60.0, Clock())
    token = tokens.issue("CA1")
    assert token not in str(vars(tokens))
