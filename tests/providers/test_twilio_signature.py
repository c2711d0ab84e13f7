"""Twilio's signatures, against the examples of its own documentation."""

from __future__ import annotations

from ivr.providers.twilio_signature import sign


def test_signature_is_twilios() -> None:
    """The signature of Twilio's own documentation comes out, whatever the order of the fields."""
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, fields[::-1]) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    # Names that begin alike, and one that is repeated.
    fields = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]
    assert sign("12345", url, [*fields, ("Digits", "1234")]) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


def test_signature_of_twilios_other_example() -> None:
    """A later edition of the documentation has other numbers, and the signature printed there."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://example.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, form.items()) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


def test_signature_without_fields_covers_the_address() -> None:
    """An upgrade has no form: every part of the address counts, its scheme too."""
    url = "wss://ivr.example.com/media"
    signature = sign("12345", url)
    # printf %s wss://ivr.example.com/media | openssl dgst -sha1 -hmac 12345 -binary | base64
    assert signature == "h5pHp/otnLjnP3iX+GqzxkL84EM="
    others = ["https://ivr.example.com/media", "ws://ivr.example.com/media", url + "/"]
    assert signature not in {sign("12345", other) for other in others}
    assert signature != sign("54321", url)
