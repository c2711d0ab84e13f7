"""The telephone: repeatable from a seed, as noisy as asked, as long as asked."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

pytest.importorskip("scipy")

from ivr.train.channel import (
    LONE_TALKER_GAIN,
    RATE_HZ,
    ChannelSettings,
    Samples,
    background,
    change_speed,
    colour,
    coloured_noise,
    fit,
    rms,
    telephone,
)

# Nothing but level, codec and the faint floor that every line has.
QUIET = ChannelSettings(
    room_probability=0.0,
    band_probability=0.0,
    noise_probability=0.0,
    clip_probability=0.0,
    alaw_probability=0.0,
    gsm_like_probability=0.0,
    loss_probability=0.0,
)
EVERYTHING = ChannelSettings(
    room_probability=1.0,
    band_probability=1.0,
    noise_probability=1.0,
    clip_probability=1.0,
    alaw_probability=1.0,
    gsm_like_probability=1.0,
    loss_probability=1.0,
)
LEAD, TAIL = 4000, 4000
BEFORE = slice(0, LEAD - 800)  # the line's filter rings for some 50 ms before the speech too


def tone(n: int = RATE_HZ, hz: float = 1000.0) -> Samples:
    """A steady tone; its power is easy to tell from noise."""
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(n) / RATE_HZ)).astype(np.float32)


def through(seed: int, settings: ChannelSettings, clean: Samples | None = None) -> Samples:
    """A tone with half a second of line on either side, through the telephone."""
    clean = tone() if clean is None else clean
    rng = np.random.default_rng(seed)
    total = LEAD + clean.shape[0] + TAIL
    return telephone(rng, clean, LEAD, total, [], [], settings)


def level_db(samples: Samples) -> float:
    """RMS in dB."""
    return 20 * float(np.log10(rms(samples)))


@pytest.mark.parametrize("settings", [ChannelSettings(), QUIET, EVERYTHING])
def test_a_seed_repeats_exactly(settings: ChannelSettings) -> None:
    """Every draw comes from the generator that is handed in, and from nothing else."""
    for seed in range(5):
        np.testing.assert_array_equal(through(seed, settings), through(seed, settings))
    assert not np.array_equal(through(1, settings), through(2, settings))


@pytest.mark.parametrize("n", [0, 1, 159, 1000, 20_001])
@pytest.mark.parametrize("settings", [ChannelSettings(), EVERYTHING])
def test_the_length_is_the_one_asked_for(n: int, settings: ChannelSettings) -> None:
    """Whatever happens on the line; a line without speech is a line too."""
    for seed in range(3):
        line = through(seed, settings, tone(n))
        assert line.shape == (LEAD + n + TAIL,)
        assert line.dtype == np.float32
        assert np.isfinite(line).all()
        assert np.abs(line).max() <= 1.0


@pytest.mark.parametrize("snr_db", [5.0, 15.0, 25.0])
def test_the_noise_is_as_loud_as_asked(snr_db: float) -> None:
    """Speech against noise before and after it; the mean of many lines within 1 dB.

    The level range keeps the quantising noise of mu-law, about 38 dB down, out of the measure.
    """
    settings = replace(
        QUIET,
        noise_probability=1.0,
        snr_db_range=(snr_db, snr_db),
        level_dbfs_range=(-20.0, -20.0),
    )
    found = []
    for seed in range(40):
        line = through(seed, settings)
        noise = rms(np.concatenate([line[BEFORE], line[800 - TAIL :]]))
        both = rms(line[LEAD:-TAIL])
        found.append(10 * np.log10(max(both**2 - noise**2, 1e-12) / noise**2))
    assert np.median(found) == pytest.approx(snr_db, abs=1.0)


@pytest.mark.parametrize("level_dbfs", [-35.0, -20.0, -12.0])
def test_speech_comes_out_at_the_level_asked(level_dbfs: float) -> None:
    """The level of the speech, not of the line with its pauses."""
    settings = replace(QUIET, level_dbfs_range=(level_dbfs, level_dbfs))
    assert level_db(through(1, settings)[LEAD:-TAIL]) == pytest.approx(level_dbfs, abs=0.5)


def test_no_line_is_digitally_silent() -> None:
    """A faint floor lies under everything, 44 to 70 dB down, with mains hum up to 5 dB more."""
    settings = replace(QUIET, level_dbfs_range=(-12.0, -12.0))
    floors = [level_db(through(seed, settings)[BEFORE]) + 12.0 for seed in range(20)]
    assert max(floors) < -38.0
    assert any(through(seed, settings)[BEFORE].any() for seed in range(20))


def test_eased_to_nothing_has_no_noise() -> None:
    """The first utterances of a training run are clean: no noise, room, clipping or loss."""
    eased = ChannelSettings().eased(0.0)
    names = ("noise", "room", "clip", "loss", "gsm_like")
    assert [getattr(eased, f"{name}_probability") for name in names] == [0.0] * 5
    loud = replace(eased, level_dbfs_range=(-12.0, -12.0))
    for seed in range(20):
        assert level_db(through(seed, loud)[BEFORE]) < -50.0


def test_eased_to_one_changes_nothing() -> None:
    """And in between every probability lies between."""
    whole, half = ChannelSettings(), ChannelSettings().eased(0.5)
    assert whole.eased(1.0) == whole
    for field in fields(ChannelSettings):
        if field.name.endswith("_probability"):
            low, high = getattr(whole.eased(0.0), field.name), getattr(whole, field.name)
            assert low <= getattr(half, field.name) <= high
        else:
            assert getattr(half, field.name) == getattr(whole, field.name)


def test_speed_changes_duration_and_pitch_together() -> None:
    """As between speakers."""
    faster = change_speed(tone(), 1.25)
    assert faster.shape[0] == pytest.approx(RATE_HZ / 1.25, abs=2)
    assert int(np.abs(np.fft.rfft(faster)).argmax()) * RATE_HZ / len(faster) == pytest.approx(
        1250, abs=3
    )


def test_colour_keeps_the_length() -> None:
    """The tail of a room is cut where the line ends."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert colour(rng, tone(777), EVERYTHING).shape == (777,)


def test_noise_has_unit_level() -> None:
    """Whatever it is made of; so that the SNR says how loud it gets."""
    rng = np.random.default_rng(3)
    recorded = [0.01 * coloured_noise(rng, 3000)]
    voices = [tone(5000, hz) for hz in (300.0, 500.0)]
    for _ in range(30):
        level = rms(background(rng, 4000, recorded, voices))
        assert any(level == pytest.approx(right, abs=0.01) for right in (1.0, LONE_TALKER_GAIN))
        assert background(rng, 4000, [], []).shape == (4000,)


@pytest.mark.parametrize("n", [1, 99, 100, 101, 1000])
def test_fit_gives_the_length_from_any_source(n: int) -> None:
    """Repeating what is too short."""
    source = np.arange(100, dtype=np.float32)
    stretch = fit(np.random.default_rng(n), source, n)
    assert stretch.shape == (n,)
    assert set(np.diff(stretch) % 100) <= {1.0}


def test_rms_of_silence_is_not_zero() -> None:
    """It is divided by."""
    assert rms(np.zeros(100, np.float32)) > 0.0
    assert rms(tone()) == pytest.approx(0.1 / np.sqrt(2), rel=1e-3)
