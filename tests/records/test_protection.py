"""How numbers are kept: what can be got back, by whom, and what gives nothing away."""

from __future__ import annotations

import base64
import re
import sys

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import ConfigError
from ivr.records.protection import Keyring, UnreadableError, derive

OLD, NEW = base64.b64encode(b"o" * 32).decode(), base64.b64encode(b"n" * 32).decode()
BOTH = Keyring.parse(f"k2:{NEW}, k1:{OLD}")
FIRST = Keyring.parse(f"k1:{OLD}")


def test_masked_keeps_the_length_only() -> None:
    """One star a character."""
    assert Keyring().keep("4155", "masked", "r1") == "****"


def test_plain_is_plain() -> None:
    """What the flow lets be seen is kept as it is."""
    assert Keyring().keep("4155", "plain", "r1") == "4155"


def test_hash_is_the_same_for_the_same_value_and_key() -> None:
    """Equal values can be found; without the key they cannot be compared."""
    kept = FIRST.keep("4155", "hash", "r1")
    assert re.fullmatch(r"hmac-sha256:k1:[0-9a-f]{64}", kept)
    assert kept == FIRST.keep("4155", "hash", "r2")
    assert kept != FIRST.keep("4156", "hash", "r1")
    assert kept.rpartition(":")[2] != BOTH.keep("4155", "hash", "r1").rpartition(":")[2]


@given(st.text(max_size=40))
def test_encrypted_value_comes_back(value: str) -> None:
    """Whoever has the key reads it; twice encrypted it looks different."""
    value = value.encode("utf-8", "replace").decode()
    kept = FIRST.keep(value, "encrypted", "r1")
    assert kept.startswith("aes-256-gcm:k1:")
    assert kept != FIRST.keep(value, "encrypted", "r1")
    assert FIRST.reveal(kept, "r1") == value


def test_keys_are_rotated_by_putting_a_new_one_first() -> None:
    """What is new has the new key, what is old is still read."""
    old = FIRST.keep("4155", "encrypted", "r1")
    assert BOTH.reveal(old, "r1") == "4155"
    assert BOTH.keep("4155", "encrypted", "r1").startswith("aes-256-gcm:k2:")
    with pytest.raises(UnreadableError, match="no key k2"):
        FIRST.reveal(BOTH.keep("4155", "encrypted", "r1"), "r1")


def test_value_does_not_decrypt_elsewhere_or_altered() -> None:
    """A ciphertext belongs to its record, and to its last bit."""
    kept = FIRST.keep("4155", "encrypted", "r1")
    head, _, sealed = kept.rpartition(":")
    raw = bytearray(base64.urlsafe_b64decode(sealed))
    raw[-1] ^= 1
    for text, record_id in (
        (kept, "r2"),
        (f"{head}:{base64.urlsafe_b64encode(raw).decode()}", "r1"),
        (f"{head}:AAAA", "r1"),
    ):
        with pytest.raises(UnreadableError) as caught:
            FIRST.reveal(text, record_id)
        assert "4155" not in str(caught.value)


def test_reveal_leaves_everything_else_alone() -> None:
    """Stars, hashes and plain values have nothing to reveal."""
    for text in ("****", "4155", FIRST.keep("4155", "hash", "r1"), ""):
        assert FIRST.reveal(text, "r1") == text


@pytest.mark.parametrize(
    "text", ["k1", "k1:", "k1:c2hvcnQ=", f"k 1:{OLD}", f"k1:{OLD},k1:{NEW}", "k1:!!!!", f":{OLD}"]
)
def test_wrong_keys_are_told_without_their_text(text: str) -> None:
    """The message has the cure, not the key."""
    with pytest.raises(ConfigError, match="openssl rand") as caught:
        Keyring.parse(text)
    assert OLD not in str(caught.value)


def test_missing_key_is_told() -> None:
    """A flow that hashes or encrypts cannot be served without a key; others can."""
    for kept in ("hash", "encrypted"):
        with pytest.raises(ConfigError, match=r"records\.keys"):
            Keyring.parse(None).check(kept)
    for kept in ("masked", "plain"):
        Keyring.parse("").check(kept)
    FIRST.check("encrypted")


def test_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only flows that encrypt need it, and they say so at start."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    FIRST.check("hash")
    with pytest.raises(ConfigError, match=r"ivr\[encryption\]"):
        FIRST.check("encrypted")


def test_keys_are_never_shown() -> None:
    """Neither a log nor a traceback prints a key."""
    assert "o" * 8 not in repr(FIRST)
    assert OLD not in repr(FIRST)


def test_derivation_is_the_standard_one() -> None:
    """Another implementation of HKDF makes the same keys, so others can read the records."""
    reference = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ivr record hash")
    assert derive(b"o" * 32, b"ivr record hash") == reference.derive(b"o" * 32)
