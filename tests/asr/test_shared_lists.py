"""Lists from the parent to the workers: one file, mapped; it goes when nobody needs it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.asr import shared_lists
from ivr.asr.beam import NEVER, beam_search
from ivr.asr.shared_lists import MAX_HELD, Place, SharedLists, directories_of, hold
from ivr.asr.tokens import BLANK, VOCABULARY
from ivr.errors import ConfigError, ModelError
from ivr.grammar.digits import accepts
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.lists import Directory, Listed, lookup, pin, publish
from tests.asr.tiny import tones
from tests.asr.workers import run, serving, stopped, worker_ids


@pytest.fixture(autouse=True)
def worker() -> Iterator[None]:
    """This process is the worker; it forgets what it held."""
    yield
    shared_lists._held.clear()


@pytest.fixture
def lists() -> Iterator[SharedLists]:
    """The parent's side."""
    shared = SharedLists()
    yield shared
    shared.close()


def accounts(*values: str) -> Directory:
    """A published list."""
    return publish("accounts", Listed.of(values))


def elsewhere(place: Place, key: str) -> Place:
    """The same file under a key that this process does not know yet."""
    return place._replace(key=key)


def test_a_worker_finds_the_values_in_the_file(lists: SharedLists) -> None:
    """Mapped, they are the same list."""
    directory = accounts("4155", "41", "62")
    (place,) = lists.place(directories_of(f"builtin:digits?list={directory.key}"))
    hold([elsewhere(place, "accounts@0000")])
    mapped = lookup("accounts@0000").listed
    assert not isinstance(mapped.packed, bytes)
    assert [value for value in ("4155", "41", "415", "62", "6") if accepts(mapped, value)] == [
        *("4155", "41", "62")
    ]
    assert mapped.digest() == directory.listed.digest()
    assert len(mapped) == 3


def test_a_mapped_list_goes_with_a_check_digit(lists: SharedLists) -> None:
    """Narrowing reads a mapped file as it reads bytes."""
    directory = accounts("79927398713", "79927398710")
    (place,) = lists.place([directory])
    hold([elsewhere(place, "accounts@0001")])
    grammar = parse_grammar("builtin:digits?list=accounts@0001;check=luhn")
    assert grammar.keys_complete("79927398713")
    assert not grammar.keys_complete("79927398710")


def test_a_list_is_written_once_and_goes_with_its_directory(lists: SharedLists) -> None:
    """Not at every utterance; and a server that reloads does not fill its disk."""
    directory = accounts("4155")
    places = lists.place([directory])
    assert lists.place([directory]) == places
    path = Path(places[0].path)
    assert path.read_bytes() == b"4155"
    assert path.parent.stat().st_mode & 0o077 == 0  # account numbers are personal
    del directory
    gc.collect()
    assert not path.exists()


def test_a_worker_keeps_the_latest_lists(lists: SharedLists) -> None:
    """Enough for some flows; the oldest go."""
    directory = accounts("4155")
    (place,) = lists.place([directory])
    keys = [f"accounts@a{number}" for number in range(MAX_HELD + 1)]
    hold(elsewhere(place, key) for key in keys[:-1])
    hold([elsewhere(place, keys[0]), elsewhere(place, keys[-1])])
    gc.collect()
    assert lookup(keys[0])
    with pytest.raises(ConfigError, match="unknown list"):
        lookup(keys[1])


def test_a_file_that_is_gone_is_an_error_and_no_crash(lists: SharedLists) -> None:
    """Somebody cleared the temporary folder."""
    directory = accounts("4155")
    (place,) = lists.place([directory])
    Path(place.path).unlink()
    with pytest.raises(ModelError, match="a list of the grammar is gone"):
        hold([elsewhere(place, "accounts@0002")])


def test_a_full_disk_is_an_error_with_a_cure(
    lists: SharedLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a crash of the call."""

    def fail(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared_lists.tempfile, "mkdtemp", fail)
    with pytest.raises(ModelError, match="No space left on device; free some space"):
        lists.place([accounts("4155")])


# -- through the search and the pool ---------------------------------------------------------------


def spoken(*frames: dict[str, float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """CTC log-probabilities [n, vocabulary] float32 of words, a blank after each."""
    rows = []
    for frame in frames:
        row = np.full(len(VOCABULARY), 1e-9)
        for word, probability in frame.items():
            row[VOCABULARY.index(word)] = probability
        blank = np.full(len(VOCABULARY), 1e-9)
        blank[BLANK] = 1.0
        rows += [row / row.sum(), blank / blank.sum()]
    return np.log(np.array(rows)).astype(np.float32)


def test_the_search_follows_only_words_that_an_account_begins_with() -> None:
    """The likeliest words are nobody's account; the search finds the ones that are."""
    log_probs = spoken({"four": 1.0}, {"nine": 0.7, "five": 0.3}, {"one": 0.6, "nine": 0.4})
    directory = accounts("459", "488", "951")
    grammar = parse_grammar(pin("builtin:digits?list=accounts", {"accounts": directory}))
    free, held = beam_search(log_probs), beam_search(log_probs, grammar=grammar)
    assert [VOCABULARY[token] for token in free[0][0]] == ["four", "nine", "one"]
    assert [[VOCABULARY[token] for token in tokens] for tokens, _ in held] == [
        ["four", "five", "nine"]
    ]
    assert held[0][1] > NEVER


def test_workers_hear_by_a_list_and_by_the_next_one(shared_model: Path) -> None:
    """A list published after the start needs no restart, and the old one is good meanwhile."""

    async def scenario() -> None:
        async with serving(shared_model, workers=2) as pool:
            old, new = accounts("415", "44"), accounts("455", "44")
            for directory in (old, new, old):
                uri = pin("builtin:digits?list=accounts", {"accounts": directory})
                heard = await asyncio.gather(*[pool.recognize(tones("four four"), uri)] * 2)
                assert {answer.best.text for answer in heard} == {"four four"}
            with pytest.raises(ConfigError, match="unknown list"):
                await pool.recognize(tones("four"), "builtin:digits?list=gone@0123")
            assert pool.restarts == 0

    run(scenario)


def test_a_worker_in_place_of_another_finds_the_list(shared_model: Path) -> None:
    """It maps the file anew."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            directory = accounts("415")
            uri = pin("builtin:digits?list=accounts", {"accounts": directory})
            await pool.recognize(tones("four one five"), uri)
            with stopped(worker_ids()):
                pool._workers[0].kill()
            answer = await pool.recognize(tones("four one five"), uri)
            assert answer.best.text == "four one five"

    run(scenario)
