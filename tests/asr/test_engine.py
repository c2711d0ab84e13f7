"""The engine on a model of tones: from 8 kHz samples to an N-best list."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.asr.engine import Engine
from ivr.asr.model_files import Decoding, write_description
from ivr.errors import ConfigError, ModelError
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret
from tests.asr.tiny import DESCRIPTION, make_model, tones

NATURAL = "builtin:natural"


@pytest.fixture(scope="module")
def engine(shared_model: Path) -> Engine:
    """One engine for all tests: it must not remember anything."""
    return Engine(shared_model)


@pytest.mark.parametrize(
    "words", ["four", "four one five", "five five five five", "yes", "<other> four <other>"]
)
def test_words_are_heard(engine: Engine, words: str) -> None:
    """What was said comes first, repeats and other speech included."""
    recognition = engine.recognize(tones(words), NATURAL)
    assert recognition.best.text == words
    assert recognition.confidence > 0.9


def test_silence_has_no_words(engine: Engine) -> None:
    """The empty hypothesis is there and says that nothing was heard."""
    recognition = engine.recognize(np.zeros(8000, np.int16), NATURAL)
    assert recognition.best.text == ""
    assert recognition.audio_ms == 1000


@pytest.mark.parametrize("n_samples", [0, 1, 79, 80, 200, 319, 320, 321])
def test_shortest_audio_is_no_error(engine: Engine, n_samples: int) -> None:
    """Less than a frame of the encoder is heard as silence."""
    assert engine.recognize(np.zeros(n_samples, np.int16), NATURAL).best.text == ""


def test_words_have_their_places(engine: Engine) -> None:
    """Times are those of the tones, within a frame of the encoder (40 ms)."""
    samples = tones("four one", word_ms=200, gap_ms=120)
    for word, start_ms in zip(
        engine.recognize(samples, NATURAL).best.words, (120, 440), strict=True
    ):
        assert word.start_ms == pytest.approx(start_ms, abs=40)
        assert word.end_ms == pytest.approx(start_ms + 200, abs=40)
        assert 0.9 < word.confidence <= 1.0


def test_hypotheses_are_in_order_and_make_a_distribution(engine: Engine) -> None:
    """Best first, no two the same, and their probabilities sum to one."""
    recognition = engine.recognize(tones("four one five"), "builtin:digits?length=4")
    scores = [hypothesis.score for hypothesis in recognition.hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert sum(map(math.exp, scores)) == pytest.approx(1.0, abs=1e-6)
    texts = [hypothesis.text for hypothesis in recognition.hypotheses]
    assert len(set(texts)) == len(texts)


def test_grammar_adds_what_it_accepts_and_takes_nothing_away(engine: Engine) -> None:
    """Three digits said where four are wanted: the truth stays first, and is no answer."""
    free = engine.recognize(tones("four one five"), NATURAL)
    held = engine.recognize(tones("four one five"), "builtin:digits?length=4")
    assert held.best.text == free.best.text == "four one five"
    assert any(len(hypothesis.words) == 4 for hypothesis in held.hypotheses)
    grammar = parse_grammar("builtin:digits?length=4")
    answer = interpret(grammar, held)
    assert answer is None or answer.confidence < 0.1


def test_answer_passes_the_grammar(engine: Engine) -> None:
    """From audio to the value that the flow gets."""
    uri = "builtin:digits?length=4"
    answer = interpret(parse_grammar(uri), engine.recognize(tones("four one five five"), uri))
    assert answer is not None
    assert answer.value == "4155"
    assert answer.confidence > 0.9


def test_number_of_hypotheses_is_bounded(tmp_path: Path) -> None:
    """n_best free ones and n_best accepted ones at most."""
    folder = make_model(tmp_path / "m", decoding=Decoding(beam=8, n_best=2))
    recognition = Engine(folder).recognize(tones("five five"), "builtin:digits?length=3")
    assert 1 <= len(recognition.hypotheses) <= 4


def test_too_long_audio_is_cut_at_the_end(tmp_path: Path) -> None:
    """A model of one second hears the first second."""
    folder = make_model(tmp_path / "m", max_columns=50)
    samples = np.concatenate([tones("four"), np.zeros(6000, np.int16), tones("one")])
    recognition = Engine(folder).recognize(samples, NATURAL)
    assert recognition.best.text == "four"
    assert recognition.audio_ms == len(samples) // 8


def test_more_words_than_the_decoder_has_places(tmp_path: Path) -> None:
    """A string longer than the decoder's context is not an error."""
    folder = make_model(tmp_path / "m", max_tokens=4)
    recognition = Engine(folder).recognize(tones("four one five four one"), NATURAL)
    assert all(len(hypothesis.words) <= 2 for hypothesis in recognition.hypotheses)


def test_calibration_moves_the_confidence_alone(tmp_path: Path) -> None:
    """The curve changes how sure the engine says it is, not what it heard."""
    cautious = Decoding(confidence_slope=0.0, confidence_offset=math.log(0.25 / 0.75))
    folder = make_model(tmp_path / "m", decoding=cautious)
    recognition = Engine(folder).recognize(tones("four one"), NATURAL)
    assert recognition.best.text == "four one"
    assert recognition.confidence == pytest.approx(0.25, abs=1e-6)


def test_every_stage_is_timed(engine: Engine) -> None:
    """The benchmark and the record name the stages."""
    compute_ms = engine.recognize(tones("four"), NATURAL).compute_ms
    assert {"mel", "encode", "search", "rescore"} <= set(compute_ms)
    assert all(value >= 0 for value in compute_ms.values())


def test_utterances_share_nothing(engine: Engine) -> None:
    """What one caller said does not colour what the next is heard to say."""
    alone = engine.recognize(tones("one"), NATURAL)
    engine.recognize(tones("five five five five four"), "builtin:digits?length=5")
    again = engine.recognize(tones("one"), NATURAL)
    assert again.hypotheses == alone.hypotheses
    assert again.confidence == alone.confidence


@given(
    samples=st.lists(st.integers(-32768, 32767), max_size=4000),
    uri=st.sampled_from([NATURAL, "builtin:digits?length=4", "builtin:boolean"]),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_samples_give_a_recognition(engine: Engine, samples: list[int], uri: str) -> None:
    """Whatever comes off the line: a list that is not empty, and a confidence from 0 to 1."""
    recognition = engine.recognize(np.array(samples, np.int16), uri)
    assert recognition.hypotheses
    assert 0.0 <= recognition.confidence <= 1.0
    assert all(hypothesis.score <= 0.0 for hypothesis in recognition.hypotheses)


def test_unknown_grammar_is_a_config_error(engine: Engine) -> None:
    """The flow's author is told, not the caller."""
    with pytest.raises(ConfigError, match="builtin:"):
        engine.recognize(tones("four"), "builtin:colours")


def test_description_tells_what_runs(engine: Engine) -> None:
    """Name and digests, for logs and readiness."""
    assert engine.describe()["name"] == "tiny"
    assert set(engine.describe()["sha256"]) == {"encoder.onnx", "decoder.onnx"}


def test_file_that_is_no_model_is_a_model_error(model: Path) -> None:
    """Digests that fit do not make it run: the file is named."""
    (model / "encoder.onnx").write_bytes(b"not a model")
    write_description(model, DESCRIPTION)
    with pytest.raises(ModelError, match=r"encoder\.onnx"):
        Engine(model)


def test_embedded_model_runs() -> None:
    """The package's own model loads, and hears no number in silence."""
    engine = Engine()
    engine.warm_up()
    recognition = engine.recognize(np.zeros(16_000, np.int16), "builtin:digits?length=4")
    assert interpret(parse_grammar("builtin:digits?length=4"), recognition) is None
