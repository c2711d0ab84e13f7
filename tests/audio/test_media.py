"""WebM and M4A: what a browser or a telephone recorded is read, and what is broken is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.media import HEAD_BYTES, media_format, open_media
from ivr.audio.wav import read_speech
from ivr.errors import AudioError
from tests.audio.recordings import encode

RATE_HZ = 48_000


def tone(seconds: float = 0.5) -> NDArray[np.int16]:
    """A sine of a third of full scale, 440 Hz at 48 kHz."""
    n = np.arange(int(RATE_HZ * seconds))
    return np.rint(10922 * np.sin(2 * np.pi * 440 / RATE_HZ * n)).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "codec", "channels"),
    [
        ("a.webm", "libopus", 1),
        ("a.webm", "libopus", 2),
        ("a.mkv", "pcm_s16le", 1),
        ("a.m4a", "aac", 1),
        ("a.mp4", "aac", 2),
    ],
)
def test_the_tone_comes_back(tmp_path: Path, name: str, codec: str, channels: int) -> None:
    """At its level and length, within what the codec costs and pads."""
    samples = read_speech(encode(tmp_path / name, tone(), RATE_HZ, codec, channels))
    assert samples.shape[0] == pytest.approx(4000, abs=600)
    middle = samples[800:3200].astype(np.float64)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(7723, rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) * 8000 / middle.shape[0] == pytest.approx(440, abs=5)


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    """A browser's recording saved as .wav is read all the same."""
    path = encode(tmp_path / "a.webm", tone(), RATE_HZ)
    assert read_speech(path.rename(tmp_path / "a.wav")).shape[0] == pytest.approx(4000, abs=600)


def test_formats_by_their_first_bytes(tmp_path: Path) -> None:
    """Only those that are ours to read; a playlist is not among them."""
    heads = {
        name: encode(tmp_path / name, tone(), RATE_HZ, codec).read_bytes()[:HEAD_BYTES]
        for name, codec in (("a.webm", "libopus"), ("a.m4a", "aac"), ("a.ogg", "libopus"))
    }
    assert media_format(heads["a.webm"]) == "matroska"
    assert media_format(heads["a.m4a"]) == "mp4"
    assert media_format(heads["a.ogg"]) is None
    for head in (b"", b"RIFF", b"#EXTM3U\nhttp", b"ftyp"):
        assert media_format(head) is None


def test_a_playlist_is_followed_nowhere(tmp_path: Path) -> None:
    """FFmpeg would open the files that it names."""
    other = encode(tmp_path / "other.webm", tone(), RATE_HZ)
    path = tmp_path / "a.webm"
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{other}\n")
    with pytest.raises(AudioError, match="not a readable recording"):
        read_speech(path)
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")
    with pytest.raises(AudioError, match="not a readable recording"):
        read_speech(path)


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libopus"), ("a.m4a", "aac")])
@pytest.mark.parametrize("kept", [12, 100, 700, 2000])
def test_a_truncated_file_is_read_or_refused(
    tmp_path: Path, name: str, codec: str, kept: int
) -> None:
    """Never FFmpeg's own error, and never more than there is."""
    path = encode(tmp_path / name, tone(), RATE_HZ, codec)
    path.write_bytes(path.read_bytes()[:kept])
    try:
        assert read_speech(path).shape[0] <= 4600
    except AudioError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right


def test_garbage_behind_a_good_head_is_one_message(tmp_path: Path) -> None:
    """With the name once, the cause and the cure."""
    for head in (b"\x1a\x45\xdf\xa3", b"\0\0\0\x1cftypM4A "):
        path = tmp_path / "a.webm"
        path.write_bytes(head + b"no recording at all" * 50)
        with pytest.raises(AudioError, match=r"not a readable recording .*record it again") as hit:
            read_speech(path)
        assert str(hit.value).count(path.name) == 1


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    """It is a good file with nothing to hear in it."""
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="holds no audio track"):
        read_speech(path)


def test_without_the_extra_the_message_is_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says what to install; other formats are read without it."""
    path = encode(tmp_path / "a.webm", tone(), RATE_HZ)
    flac = encode(tmp_path / "a.flac", tone(), RATE_HZ, "flac")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"install it with pip install 'ivr\[media\]'"):
        read_speech(path)
    assert read_speech(flac).shape[0] == pytest.approx(4000, abs=1)


def test_blocks_are_read_one_by_one(tmp_path: Path) -> None:
    """So that a long file is not in memory as a whole."""
    path = encode(tmp_path / "a.webm", tone(2.0), RATE_HZ)
    with path.open("rb") as file, open_media(file, "a", "matroska") as (rate_hz, blocks):
        sizes = [block.shape[0] for block in blocks]
    assert rate_hz == RATE_HZ
    assert max(sizes) <= 5760  # Opus: 120 ms at 48 kHz
    assert sum(sizes) == pytest.approx(2 * RATE_HZ, abs=6000)
