"""How callers' numbers are kept: masked, as a keyed hash, or encrypted, as the flow says.

Theory of operation: a value that is not kept plain is replaced before the record leaves the call,
so database, spool, webhook and backups hold the same thing and nobody can forget one of them.

    masked      ********                          one star a character; nothing can be got back
    hash        hmac-sha256:KEY_ID:64 hex digits  equal values are equal; needs the key to compare
    encrypted   aes-256-gcm:KEY_ID:base64url      nonce (12 bytes), ciphertext, tag (16 bytes)

Keys are 32 random bytes with a name, the first of them used for what is new; the others only read,
so a key is rotated by putting a new one before it. Each purpose has a key of its own, derived by
HKDF. The id of the record is authenticated with the ciphertext: moved into another record, it does
not decrypt.

A number of a few digits can be found from its hash by trying all of them, by whoever has the key.
The hash hides it from those who have not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from ivr.errors import ConfigError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, the length that GCM is made for
_HASH: Final = "hmac-sha256"
_CIPHER: Final = "aes-256-gcm"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEALED: Final = re.compile(rf"{_CIPHER}:([A-Za-z0-9_-]{{1,32}}):([A-Za-z0-9_=-]+)")


class UnreadableError(ConfigError):
    """An encrypted value cannot be read: its key is not configured, or it was altered."""


class Cipher(Protocol):
    """AES-GCM, as the package cryptography has it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises where anything was altered."""


def mask(value: str) -> str:
    """One star a character."""
    return "*" * len(value)


@dataclass(frozen=True)
class Keyring:
    """The keys, newest first.

    Attributes:
        keys: by name; the first one protects what is new.
    """

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str | None) -> Keyring:
        """Keys as ``records.keys`` has them: ``NAME:BASE64``, newest first, with commas.

        Raises:
            ConfigError: not of that form, a key of another length, or a name given twice.
        """
        keys: dict[str, bytes] = {}
        for number, item in enumerate(filter(None, (text or "").split(",")), 1):
            name, _, encoded = item.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not _KEY_ID.fullmatch(name) or len(key) != KEY_BYTES or name in keys:
                raise ConfigError(
                    f"records.keys: key {number} must be NAME:BASE64 with {KEY_BYTES} random bytes "
                    "and a name of its own; make one with: openssl rand -base64 32"
                )
            keys[name] = key
        return cls(keys)

    def check(self, kept: str) -> None:
        """Refuse to start where a flow keeps values in a way that the keys do not allow.

        Raises:
            ConfigError: there is no key, or the package for encryption is not installed.
        """
        if kept in ("hash", "encrypted"):
            self.newest()
        if kept == "encrypted":
            cipher(bytes(KEY_BYTES))

    def keep(self, value: str, kept: str, record_id: str) -> str:
        """A value as the record keeps it.

        Args:
            value: what the caller said or keyed.
            kept: ``masked``, ``hash``, ``encrypted`` or ``plain``.
            record_id: of the record that it goes into.

        Raises:
            ConfigError: see `check`.
        """
        if kept == "plain":
            return value
        if kept == "hash":
            return self.hash(value)
        if kept == "encrypted":
            return self._encrypt(value, record_id)
        return mask(value)

    def hash(self, value: str) -> str:
        """The keyed hash of a value with the newest key, to look for it.

        Raises:
            ConfigError: there is no key.
        """
        name, key = self.newest()
        digest = hmac.new(derive(key, b"ivr record hash"), value.encode(), hashlib.sha256)
        return f"{_HASH}:{name}:{digest.hexdigest()}"

    def reveal(self, kept: str, record_id: str) -> str:
        """The value of an encrypted text; any other text is returned as it is.

        Raises:
            UnreadableError: its key is not configured, or it was altered or moved.
        """
        found = _SEALED.fullmatch(kept)
        if found is None:
            return kept
        key = self.keys.get(found[1])
        if key is None:
            raise UnreadableError(f"records.keys has no key {found[1]}, which a value needs")
        try:
            sealed = base64.urlsafe_b64decode(found[2])
            sealing = cipher(derive(key, b"ivr record encryption"))
            nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return sealing.decrypt(nonce, data, record_id.encode()).decode()
        except ConfigError:
            raise
        except Exception as error:
            raise UnreadableError(
                f"a value of record {record_id} does not decrypt with key {found[1]}: it was "
                "altered, or the key is another of that name"
            ) from error

    def _encrypt(self, value: str, record_id: str) -> str:
        name, key = self.newest()
        nonce = os.urandom(_NONCE_BYTES)
        sealing = cipher(derive(key, b"ivr record encryption"))
        sealed = nonce + sealing.encrypt(nonce, value.encode(), record_id.encode())
        return f"{_CIPHER}:{name}:{base64.urlsafe_b64encode(sealed).decode()}"

    def newest(self) -> tuple[str, bytes]:
        """Name and key that protect what is new.

        Raises:
            ConfigError: there is no key.
        """
        for name, key in self.keys.items():
            return name, key
        raise ConfigError(
            "the flow stores a value as hash or encrypted, or records calls, and records.keys is "
            "not set; give IVR_RECORDS__KEYS=NAME:KEY with a KEY of: openssl rand -base64 32"
        )


def derive(key: bytes, purpose: bytes, salt: bytes = b"") -> bytes:
    """HKDF-SHA256 (RFC 5869), one block: a key for one purpose."""
    salted = salt or bytes(hashlib.sha256().digest_size)
    extracted = hmac.new(salted, key, hashlib.sha256).digest()
    return hmac.new(extracted, purpose + b"\x01", hashlib.sha256).digest()


def cipher(key: bytes) -> Cipher:
    """AES-256-GCM.

    Raises:
        ConfigError: the package for it is not installed.
    """
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigError(
            "encrypted values need the package cryptography; install it with "
            "pip install 'ivr[encryption]'"
        ) from None
    return AESGCM(key)
