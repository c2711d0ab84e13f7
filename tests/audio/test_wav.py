"""Recordings: what is written is read, formats and rates are converted, errors say the cure."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.audio.wav import MAX_MINUTES, read_speech, write_wav
from ivr.errors import AudioError


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440.0) -> NDArray[np.int16]:
    """A sine of a third of full scale."""
    n = np.arange(int(rate_hz * seconds))
    return np.rint(10922 * np.sin(2 * np.pi * hz / rate_hz * n)).astype(np.int16)


def test_eight_kilohertz_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Every int16 value survives writing and reading."""
    samples = np.arange(-32768, 32768).astype(np.int16)
    write_wav(tmp_path / "a.wav", samples, 8000)
    assert np.array_equal(read_speech(tmp_path / "a.wav"), samples)


def test_a_string_path_will_do(tmp_path: Path) -> None:
    """Paths may be strings."""
    write_wav(str(tmp_path / "a.wav"), tone(8000), 8000)
    assert read_speech(str(tmp_path / "a.wav")).shape == (4000,)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    """FLAC, Ogg and MP3 give the tone at its level, within what the codec costs."""
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(16000), 16000)
    samples = read_speech(path).astype(np.float64)
    assert samples.shape[0] == pytest.approx(4000, abs=600)
    assert np.sqrt(np.mean(samples[800:3200] ** 2)) == pytest.approx(7723, rel=0.05)


def test_another_rate_is_converted(tmp_path: Path) -> None:
    """44.1 kHz becomes 8 kHz: same duration, same tone."""
    write_wav(tmp_path / "a.wav", tone(44100), 44100)
    samples = read_speech(tmp_path / "a.wav")
    assert samples.shape[0] == pytest.approx(4000, abs=1)
    wanted = tone(8000).astype(np.float64)
    assert np.max(np.abs(samples[400:3600] - wanted[400:3600])) < 60


def test_the_wanted_rate_is_given(tmp_path: Path) -> None:
    """A caller may ask for 16 kHz."""
    write_wav(tmp_path / "a.wav", tone(8000), 8000)
    assert read_speech(tmp_path / "a.wav", rate_hz=16000).shape == (8000,)


def test_channels_are_averaged(tmp_path: Path) -> None:
    """Stereo becomes its mean; opposite channels cancel."""
    left = tone(8000)
    write_wav(tmp_path / "a.wav", np.stack([left, -left], axis=1), 8000)
    assert not read_speech(tmp_path / "a.wav").any()


def test_stereo_is_written_as_it_is(tmp_path: Path) -> None:
    """Two channels keep their order and rate, whatever the suffix."""
    stereo = np.stack([tone(8000), tone(8000, hz=300)], axis=1)
    write_wav(tmp_path / "call.record", stereo, 8000)
    samples, rate_hz = soundfile.read(tmp_path / "call.record", dtype="int16")
    assert rate_hz == 8000
    assert np.array_equal(samples, stereo)


def test_float_files_are_clipped_not_wrapped(tmp_path: Path) -> None:
    """Values over full scale and NaN in a float file become full scale and silence."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([2.0, -2.0, np.nan, 0.5], np.float32), 8000, subtype="FLOAT")
    assert read_speech(path).tolist() == [32767, -32768, 0, 16384]


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    """Not every system's names are UTF-8."""
    write_wav(tmp_path / "a.wav", tone(8000), 8000)
    path = (tmp_path / "a.wav").rename(tmp_path / "caf\udce9.wav")
    assert read_speech(path).shape == (4000,)
    path.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="not a readable recording"):
        read_speech(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file and the cure."""
    with pytest.raises(AudioError, match=r"gone\.wav: no such file; check"):
        read_speech(tmp_path / "gone.wav")


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    """A folder is refused as such."""
    with pytest.raises(AudioError, match="not a file"):
        read_speech(tmp_path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw", "a"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello, I am a text\n" * 50])
def test_garbage_is_an_audio_error(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever the bytes and the name: one error with the cure, not the library's own."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=r"not a readable recording .*FLAC"):
        read_speech(tmp_path / name)


def test_a_truncated_file_is_read_or_refused(tmp_path: Path) -> None:
    """Half a WAV gives its samples: a copy that broke off is still speech."""
    path = tmp_path / "a.wav"
    write_wav(path, tone(8000), 8000)
    path.write_bytes(path.read_bytes()[:4044])
    assert np.array_equal(read_speech(path), tone(8000)[:2000])


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    """A valid file without samples is an error that says so."""
    write_wav(tmp_path / "a.wav", np.zeros(0, np.int16), 8000)
    with pytest.raises(AudioError, match="holds no samples"):
        read_speech(tmp_path / "a.wav")


def test_a_recording_longer_than_an_answer_can_be_is_refused(tmp_path: Path) -> None:
    """Ten minutes are read, a second more is not; the message says what to do."""
    limit = MAX_MINUTES * 60
    for seconds in (limit, limit + 1):
        soundfile.write(tmp_path / f"{seconds}.flac", np.zeros(8000 * seconds, np.int16), 8000)
    assert read_speech(tmp_path / f"{limit}.flac").shape == (8000 * limit,)
    with pytest.raises(AudioError, match="longer than 10 minutes; cut it"):
        read_speech(tmp_path / f"{limit + 1}.flac")


def header(rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """The 44 bytes before a WAV's samples, true or not."""
    frame = 2 * channels
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, rate_hz * frame, frame, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data" + struct.pack("<I", data_bytes)


@pytest.mark.parametrize("channels", [1, 1000])
def test_a_header_that_lies_costs_nothing(tmp_path: Path, channels: int) -> None:
    """Four gigabytes claimed: what is there is read, or the file is refused."""
    path = tmp_path / "a.wav"
    path.write_bytes(header(8000, channels, 0xFFFFFFFF) + bytes(4000))
    assert read_speech(path).shape == (2000 // channels,)


def test_a_rate_that_no_speech_has_is_refused(tmp_path: Path) -> None:
    """One sample a second would become 8000 of ours."""
    path = tmp_path / "a.wav"
    path.write_bytes(header(1, 1, 4000) + bytes(4000))
    with pytest.raises(AudioError, match="1 samples a second are no speech"):
        read_speech(path)


def test_the_folder_must_exist(tmp_path: Path) -> None:
    """Writing into a folder that is not there says which to create."""
    with pytest.raises(AudioError, match="create"):
        write_wav(tmp_path / "no" / "a.wav", tone(8000), 8000)


def test_an_unwritable_target_is_an_audio_error(tmp_path: Path) -> None:
    """A target that is a folder cannot be written, and the message says so."""
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioError, match="cannot be written"):
        write_wav(tmp_path / "a.wav", tone(8000), 8000)


@pytest.mark.parametrize("wrong", [np.zeros(5, np.float32), np.zeros((2, 2, 2), np.int16)])
def test_other_arrays_are_refused(tmp_path: Path, wrong: NDArray) -> None:
    """Floats and three axes are a bug in the caller."""
    with pytest.raises(ValueError, match="int16"):
        write_wav(tmp_path / "a.wav", wrong, 8000)
