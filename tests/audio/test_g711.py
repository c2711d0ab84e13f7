"""G.711 against the 256 levels of the recommendation, written out by an independent formula."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.audio import g711

# Positive mu-law levels, ITU-T G.711 table 2a scaled to 16 bits, for the bytes 0xFF down to 0x80.
MULAW_LEVELS = [
    0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120,
    132, 148, 164, 180, 196, 212, 228, 244, 260, 276, 292, 308, 324, 340, 356, 372,
    396, 428, 460, 492, 524, 556, 588, 620, 652, 684, 716, 748, 780, 812, 844, 876,
    924, 988, 1052, 1116, 1180, 1244, 1308, 1372, 1436, 1500, 1564, 1628, 1692, 1756, 1820, 1884,
    1980, 2108, 2236, 2364, 2492, 2620, 2748, 2876, 3004, 3132, 3260, 3388, 3516, 3644, 3772, 3900,
    4092, 4348, 4604, 4860, 5116, 5372, 5628, 5884, 6140, 6396, 6652, 6908, 7164, 7420, 7676, 7932,
    8316, 8828, 9340, 9852, 10364, 10876, 11388, 11900,
    12412, 12924, 13436, 13948, 14460, 14972, 15484, 15996,
    16764, 17788, 18812, 19836, 20860, 21884, 22908, 23932,
    24956, 25980, 27004, 28028, 29052, 30076, 31100, 32124,
]  # fmt: skip


def alaw_level(code: int) -> int:
    """One A-law level by the recommendation's arithmetic: even bits inverted, 3 bits of segment."""
    code ^= 0x55
    mantissa, segment = code & 0x0F, (code >> 4) & 0x07
    level = (mantissa << 4) + 8
    if segment:
        level = (level + 0x100) << (segment - 1)
    return level if code & 0x80 else -level


def test_mulaw_decodes_the_golden_table() -> None:
    """All 256 mu-law bytes give the levels of the recommendation."""
    positive = g711.mulaw_decode(bytes(range(0xFF, 0x7F, -1)))
    negative = g711.mulaw_decode(bytes(range(0x7F, -1, -1)))
    assert positive.tolist() == MULAW_LEVELS
    assert negative.tolist() == [-level for level in MULAW_LEVELS]


def test_alaw_decodes_the_golden_table() -> None:
    """All 256 A-law bytes give the levels that the recommendation's arithmetic gives."""
    decoded = g711.alaw_decode(bytes(range(256)))
    assert decoded.tolist() == [alaw_level(code) for code in range(256)]
    assert (int(decoded.min()), int(decoded.max())) == (-32256, 32256)


def test_every_byte_survives_a_round_trip() -> None:
    """Decoding and encoding again gives the same byte, but for mu-law's second zero."""
    every = bytes(range(256))
    assert g711.alaw_encode(g711.alaw_decode(every)) == every
    assert g711.mulaw_encode(g711.mulaw_decode(every)) == every.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_encoding_stays_within_the_quantising_step(law: str) -> None:
    """Every int16 value within range comes back within half a step: 1/32 of itself plus 12."""
    samples = np.arange(-32768, 32768).astype(np.int16)
    decoded = getattr(g711, f"{law}_decode")(getattr(g711, f"{law}_encode")(samples))
    error = np.abs(decoded.astype(np.int64) - samples)
    inside = np.abs(samples.astype(np.int64)) <= 32000
    assert np.all(error[inside] <= np.abs(samples[inside].astype(np.int64)) / 32 + 12)


def test_silence_constants_are_the_quietest_levels() -> None:
    """The bytes that stand for silence decode to the smallest positive levels."""
    assert g711.mulaw_decode(bytes([g711.MULAW_SILENCE])).tolist() == [0]
    assert g711.alaw_decode(bytes([g711.ALAW_SILENCE])).tolist() == [8]


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_nothing_in_nothing_out(law: str) -> None:
    """An empty payload is an empty signal, both ways."""
    decoded = getattr(g711, f"{law}_decode")(b"")
    assert decoded.shape == (0,)
    assert decoded.dtype == np.int16
    assert getattr(g711, f"{law}_encode")(decoded) == b""


def test_decoded_samples_may_be_changed() -> None:
    """The decoded array is the caller's own, not a read-only view of the payload."""
    samples = g711.mulaw_decode(b"\x00\xff")
    samples[0] = 5
    assert samples.tolist() == [5, 0]


def test_strided_samples_are_encoded_in_their_order() -> None:
    """A view with a stride is encoded like its copy."""
    samples = np.arange(-4000, 4000, 10).astype(np.int16)
    assert g711.mulaw_encode(samples[::-2]) == g711.mulaw_encode(samples[::-2].copy())


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(4, np.float32), np.zeros((2, 2), np.int16), np.zeros(4, np.int32)],
    ids=["float", "two channels", "int32"],
)
@pytest.mark.parametrize("encode", [g711.mulaw_encode, g711.alaw_encode])
def test_other_arrays_are_refused(encode, wrong) -> None:
    """A float or multi-channel array is a bug in the caller and raises."""
    with pytest.raises(ValueError, match="one-dimensional int16"):
        encode(wrong)


@given(payload=st.binary(max_size=400), cut=st.integers(0, 400))
def test_any_split_decodes_alike(payload: bytes, cut: int) -> None:
    """Any bytes decode, one sample each, however they are split."""
    whole = g711.mulaw_decode(payload)
    parts = np.concatenate((g711.mulaw_decode(payload[:cut]), g711.mulaw_decode(payload[cut:])))
    assert whole.shape == (len(payload),)
    assert np.array_equal(whole, parts)


def test_the_import_warns_of_nothing() -> None:
    """Importing the codec hides the standard library's announcement that audioop goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(g711)
