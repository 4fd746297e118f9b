"""Text from outside: quoting it in messages, and what may be a name."""

from __future__ import annotations

import re
import unicodedata

_MAX_IDENTIFIER_UNITS = 256
_MAX_URI_UNITS = 1024

# Default_Ignorable_Code_Point of Unicode without the characters of category C, and the blank Braille pattern.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\u2800\U000e0100-\U000e01ef]"
)
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def quote(text: str, limit: int = 300) -> str:
    """Text that a server chose, for a message that ends up in logs: short, and without control characters."""
    shown = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in shown)


def is_identifier(value: object) -> bool:
    """Whether a value can name an agent, a user or a token, exactly as an API reads it."""
    return _is_visible(value, _MAX_IDENTIFIER_UNITS)


def is_string_or_uri(value: object) -> bool:
    """Whether a value can name an issuer or an audience."""
    return _is_visible(value, _MAX_URI_UNITS)


def _is_visible(value: object, limit: int) -> bool:
    if not isinstance(value, str) or value == "" or value.strip(" ") != value:
        return False
    # Lengths count UTF-16 units, as in JavaScript.
    if len(value.encode("utf-16-le", "surrogatepass")) // 2 > limit:
        return False
    return (
        not any(_is_invisible(char) for char in value)
        and _IGNORABLE.search(value) is None
        and unicodedata.is_normalized("NFC", value)
    )


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "C" or category in {"Zl", "Zp"} or (category == "Zs" and char != " ")


def is_token(value: object) -> bool:
    """Whether a value has only the characters of a token (RFC 6750 §2.1)."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def is_compact_jws(value: object) -> bool:
    """Whether a value has the form of a JWT."""
    return isinstance(value, str) and _COMPACT_JWS.fullmatch(value) is not None


def is_thumbprint(value: object) -> bool:
    """Whether a value is a SHA-256 in canonical base64url without padding."""
    return isinstance(value, str) and _THUMBPRINT.fullmatch(value) is not None
