"""How Twilio signs its requests, for the server that checks them and the caller that plays Twilio.

A webhook's signature covers its address and the fields of its form; that of a media socket's
upgrade covers the address only, with the scheme of a WebSocket.

Source: Twilio, "Security: validating requests are coming from Twilio", 2024.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

SIGNATURE_HEADER: Final = "X-Twilio-Signature"


def sign(auth_token: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """The provider's signature of a request.

    Args:
        auth_token: of the account.
        url: the public address, as the provider knows it.
        fields: of the form, in any order; a repeated one counts once per different value.

    Returns:
        Base64 of HMAC-SHA1, as in X-Twilio-Signature.
    """
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(auth_token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode("ascii")
