"""Calibration: constants that make most answers right, from what was proposed."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.asr.model_files import Decoding
from ivr.errors import ConfigError
from ivr.train.calibrate import OTHER_PENALTIES, Proposal, fit


def proposal(expected: str, number: float, nothing: float) -> Proposal:
    """An utterance heard as "5" or as no number, with these scores by CTC and decoder alike."""
    scores = np.array([number, nothing])
    return Proposal(expected, ("5", ""), np.array([False, True]), scores, scores)


def test_other_speech_is_penalised_until_it_would_be_taken_for_a_number() -> None:
    """Digits that lose by up to 1.8 are won back; talk that loses by 2.2 stays talk."""
    digits = [proposal("5", -2.0 - 0.06 * i, -2.0) for i in range(30)]
    talk = [proposal("", -4.2, -2.0) for _ in range(30)]
    fitted = fit(digits + talk, Decoding())
    assert fitted.other_penalty == 2.0
    assert all(p.answer(fitted.ctc_weight, fitted.other_penalty)[0] == p.expected for p in digits)


def test_nothing_is_won_where_talk_is_close() -> None:
    """The penalty stays 0 where the least of it would make a number of talk."""
    items = [proposal("5", -1.0, -3.0)] * 40 + [proposal("", -2.3, -2.0)] * 40
    assert fit(items, Decoding()).other_penalty == OTHER_PENALTIES[0]


def test_confidence_follows_how_often_answers_are_right() -> None:
    """Sure answers that are mostly right get a confidence to match."""
    rng = np.random.default_rng(1)
    items = [
        proposal("5" if rng.random() < 0.9 else "7", -1.0, -2.0 - rng.random()) for _ in range(200)
    ]
    fitted = fit(items, Decoding())
    odds = [item.answer(fitted.ctc_weight, fitted.other_penalty)[1] for item in items]
    predicted = 1 / (
        1 + np.exp(-(fitted.confidence_slope * np.array(odds) + fitted.confidence_offset))
    )
    assert float(predicted.mean()) == pytest.approx(0.9, abs=0.05)


def test_too_few_recordings_are_refused() -> None:
    """A curve through a handful of answers would be noise."""
    with pytest.raises(ConfigError, match="50 recordings or more, not 3"):
        fit([proposal("5", -1.0, -2.0)] * 3, Decoding())
