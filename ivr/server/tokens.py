"""Call tokens: a media stream must show one that the voice webhook gave out, once, in time.

The media socket has no other guard: whoever opens it could otherwise place calls. Tokens are kept
as digests, so that neither a heap dump nor the time of a look-up helps to guess one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ivr.errors import Overloaded

_TOKEN_BYTES: Final = 24  # 192 bits: not to be guessed within the life of the token
_MAX_OUTSTANDING: Final = 10_000  # webhooks of a minute on any plausible server


class TokenVerdict(StrEnum):
    """What a shown token is worth; the value of a refusal is its counter's name."""

    ACCEPTED = "accepted"
    UNKNOWN = "bad_token"
    EXPIRED = "expired_token"
    OTHER_CALL = "token_of_another_call"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A token that was shown.

    Attributes:
        verdict: what it is worth.
        flow: the name of the flow that the call was announced for; ``None`` for the default, and
            where the token is worth nothing.
        owner: of the API key that the call was placed with; ``None`` for one that came in.
        caller: who calls, masked already; ``None`` where that is not known.
    """

    verdict: TokenVerdict
    flow: str | None = None
    owner: str | None = None
    caller: str | None = None


@dataclass(frozen=True, slots=True)
class _Issued:
    call_id: str | None
    flow: str | None
    owner: str | None
    caller: str | None
    expires_at_s: float


class CallTokens:
    """The tokens that were given out and not yet used.

    Args:
        ttl_s: life of a token, seconds.
        clock: monotonic seconds.
    """

    def __init__(self, ttl_s: float, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._issued: dict[bytes, _Issued] = {}

    def issue(
        self,
        call_id: str | None,
        flow: str | None = None,
        owner: str | None = None,
        caller: str | None = None,
    ) -> str:
        """A new token.

        Args:
            call_id: of the call that it is good for, once; ``None`` for any.
            flow: the name of the flow that the call is to follow; ``None`` for the default.
            owner: of the API key that places the call; ``None`` where it comes in.
            caller: who calls, masked, for those who watch the call.

        Raises:
            Overloaded: too many were given out and not used.
        """
        now = self._clock()
        # Insertion order is expiry order, since every token lives equally long. Expired ones stay
        # for one more life, so that a late stream is told "expired" rather than "unknown".
        for digest, issued in list(self._issued.items()):
            if issued.expires_at_s + self._ttl_s >= now:
                break
            del self._issued[digest]
        if len(self._issued) >= _MAX_OUTSTANDING:
            raise Overloaded("too many calls were announced and did not come")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._issued[_digest(token)] = _Issued(call_id, flow, owner, caller, now + self._ttl_s)
        return token

    def redeem(self, token: str, call_id: str) -> Redeemed:
        """Use a token up.

        Args:
            token: as the stream showed it; any text.
            call_id: of the stream.
        """
        issued = self._issued.pop(_digest(token), None)
        if issued is None:
            return Redeemed(TokenVerdict.UNKNOWN)
        if self._clock() >= issued.expires_at_s:
            return Redeemed(TokenVerdict.EXPIRED)
        if issued.call_id is not None and issued.call_id != call_id:
            return Redeemed(TokenVerdict.OTHER_CALL)
        return Redeemed(TokenVerdict.ACCEPTED, issued.flow, issued.owner, issued.caller)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
