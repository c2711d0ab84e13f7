"""The prompt store: levels, joints, recordings, and what is kept where."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.audio.level import speech_level_dbfs
from ivr.errors import AudioError, ConfigError
from ivr.flow.turn import Prompt
from ivr.prompts.shaping import RATE_HZ
from ivr.prompts.store import PromptStore
from ivr.prompts.voices import EspeakVoice, VoiceOptions

HELLO = Prompt("Hello there.", recording="greet.say")
PERSONAL = Prompt("I have four one five five.", personal=True)


def store(
    cache: Path | None = None,
    recordings: Path | None = None,
    voice: str = "en-us",
    rate_wpm: int = 150,
) -> PromptStore:
    """A store that speaks by espeak-ng."""
    return PromptStore(EspeakVoice(VoiceOptions(voice, rate_wpm)), cache, recordings)


def tone(
    seconds: float = 0.5, rate_hz: int = RATE_HZ, amplitude: float = 0.1
) -> NDArray[np.float64]:
    """A 500 Hz tone that ends mid-swing, so that only a fade ends it without a click."""
    return amplitude * np.cos(2 * np.pi * 500 * np.arange(int(seconds * rate_hz)) / rate_hz)


def files(folder: Path) -> list[Path]:
    """Everything in a folder, however deep."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("prompt", [HELLO, PERSONAL], ids=["fixed", "personal"])
def test_speech_is_levelled_and_fades(prompt: Prompt) -> None:
    """Synthesised speech is int16 at 8 kHz, about -16 dBFS, with silent ends."""
    samples = store().render(prompt)
    assert samples.dtype == np.int16
    assert 0.5 < len(samples) / RATE_HZ < 3
    assert speech_level_dbfs(samples) == pytest.approx(-16, abs=0.5)
    assert np.abs(samples[:20].astype(int)).max() == 0
    assert np.abs(samples[-800:].astype(int)).max() == 0


def test_ends_are_the_same_for_every_text() -> None:
    """The synthesiser's own silence is cut and replaced, so that turns have one rhythm."""
    prompts = store()
    for text in ("Yes.", "Please say your account number.", "Six."):
        loud = np.flatnonzero(np.abs(prompts.render(Prompt(text)).astype(int)) > 200)
        samples = prompts.render(Prompt(text))
        assert loud[0] < 0.08 * RATE_HZ
        assert 0.19 * RATE_HZ < len(samples) - loud[-1] < 0.28 * RATE_HZ


def test_rendered_prompts_cannot_be_changed() -> None:
    """All calls share the samples."""
    samples = store().render(HELLO)
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 1


def test_a_prompt_is_made_once(tmp_path: Path) -> None:
    """The second render of a store is the same array; the next process reads the file."""
    prompts = store(tmp_path / "cache")
    first = prompts.render(HELLO)
    assert prompts.render(HELLO) is first
    assert len(files(tmp_path)) == 1
    again = store(tmp_path / "cache").render(HELLO)
    assert np.array_equal(again, first)
    assert not again.flags.writeable


def test_what_shapes_a_prompt_is_its_key(tmp_path: Path) -> None:
    """Another text, voice or speed is another file; another recording name is not."""
    store(tmp_path).render(HELLO)
    store(tmp_path).render(Prompt("Hello there.", recording="other"))
    assert len(files(tmp_path)) == 1
    store(tmp_path).render(Prompt("Hello you."))
    store(tmp_path, voice="en-gb").render(HELLO)
    store(tmp_path, rate_wpm=170).render(HELLO)
    assert len(files(tmp_path)) == 4


def test_personal_prompts_leave_no_trace(tmp_path: Path) -> None:
    """What a caller said is neither on disk nor in the store's memory."""
    prompts = store(tmp_path / "cache")
    first = prompts.render(PERSONAL)
    assert prompts.render(PERSONAL) is not first
    assert not files(tmp_path)
    assert not prompts._kept


def test_file_names_tell_nothing(tmp_path: Path) -> None:
    """A cached file is named by a hash, not by its words."""
    store(tmp_path).render(HELLO)
    (path,) = files(tmp_path)
    assert path.suffix == ".wav"
    assert len(path.stem) == 32
    assert set(path.stem) <= set("0123456789abcdef")


def test_a_damaged_cache_is_mended(tmp_path: Path) -> None:
    """A file that was cut off is made again and written over."""
    whole = store(tmp_path).render(HELLO)
    (path,) = files(tmp_path)
    good = path.read_bytes()
    path.write_bytes(good[:20])
    mended = store(tmp_path).render(HELLO)
    assert abs(len(mended) - len(whole)) < 200
    assert len(path.read_bytes()) > len(good) * 0.9


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """A file where the folder should be, as a full or read-only disk, costs nothing but time."""
    blocked = tmp_path / "cache"
    blocked.write_text("not a folder")
    assert len(store(blocked).render(HELLO))
    assert blocked.read_text() == "not a folder"


def test_a_failed_write_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk fills up in mid-file the part that was written is removed."""

    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"RIFF")
        raise AudioError("no space")

    monkeypatch.setattr("ivr.prompts.store.write_wav", full)
    assert len(store(tmp_path).render(HELLO))
    assert not files(tmp_path)


@pytest.mark.parametrize(("suffix", "rate_hz"), [(".wav", 8000), (".wav", 44100), (".flac", 16000)])
def test_a_recording_is_played_instead(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    """A file of the prompt's recording name wins, at any rate, levelled and faded."""
    soundfile.write(tmp_path / f"greet.say{suffix}", tone(0.5, rate_hz), rate_hz)
    samples = store(None, tmp_path).render(HELLO)
    assert len(samples) == pytest.approx(4000, abs=2)
    assert speech_level_dbfs(samples) == pytest.approx(-16, abs=0.5)
    assert samples[0] == 0
    assert samples[-1] == 0
    assert np.abs(np.diff(samples[:40].astype(int))).max() < 3500


def test_recordings_are_not_copied_into_the_cache(tmp_path: Path) -> None:
    """They are on disk already, and may be replaced between two starts."""
    (tmp_path / "recordings").mkdir()
    soundfile.write(tmp_path / "recordings" / "greet.say.wav", tone(), RATE_HZ)
    store(tmp_path / "cache", tmp_path / "recordings").render(HELLO)
    assert not (tmp_path / "cache").exists()


def test_without_its_recording_a_prompt_is_spoken(tmp_path: Path) -> None:
    """A name that no file has falls back to the text."""
    soundfile.write(tmp_path / "other.wav", tone(), RATE_HZ)
    samples = store(None, tmp_path).render(HELLO)
    assert len(samples) > 4000


def test_a_broken_recording_is_named_at_start(tmp_path: Path) -> None:
    """Warming tells the user which file to mend, before a caller hears silence."""
    (tmp_path / "greet.say.wav").write_bytes(b"RIFF....nonsense")
    with pytest.raises(AudioError, match=r"greet\.say\.wav"):
        store(None, tmp_path).warm([HELLO])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"voice": "en-uss"}, 'no voice "en-uss"'), ({"rate_wpm": 1000}, "rate_wpm is 1000")],
)
def test_a_wrong_voice_is_told_at_start(options: dict[str, object], message: str) -> None:
    """The configuration's mistake shows when the store is made, not in the first call."""
    with pytest.raises(ConfigError, match=message):
        store(**options)  # type: ignore[arg-type]


def test_an_unspeakable_prompt_is_silence() -> None:
    """A text of signs alone renders as a short silence, not as an error in a call."""
    samples = store().render(Prompt("---"))
    assert len(samples) < 0.5 * RATE_HZ


def test_memory_is_bounded() -> None:
    """The oldest prompts go when there are more than a flow could have."""
    prompts = store()
    prompts._voice = type("Mute", (), {"speak": lambda *_: np.ones(400, np.int16)})()
    for number in range(300):
        prompts.render(Prompt(f"text {number}"))
    assert len(prompts._kept) == 256


def test_threads_get_whole_prompts() -> None:
    """Renders at the same time do not mix: each is as long as it is alone."""
    prompts = store()
    said = [Prompt(f"This is sentence number {n}.", personal=True) for n in range(6)]
    alone = [len(prompts.render(prompt)) for prompt in said]
    together = [0] * len(said)

    def work(index: int) -> None:
        together[index] = len(prompts.render(said[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(said))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == pytest.approx(alone, abs=100)
