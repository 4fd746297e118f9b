"""The key of an agent."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NoReturn, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ._base64 import b64, b64url, from_b64, from_b64url
from ._json import parse_object
from ._text import is_identifier
from .errors import InvalidKeyError

_SEED_BYTES = 32
_SECRET_KEY_BYTES = 64
_ACCEPTED = "Give a private JWK, a PKCS #8 PEM, or the 64-byte secretKey of nacl.sign.keyPair() (bytes or base64)."
# RFC 8410 §7: the DER of the second version, which also has the public key.
_VERSION_TWO = bytes.fromhex("3051020101300506032b657004220420")
_VERSION_TWO_BYTES = 83
_PUBLIC_KEY_FIELD = bytes.fromhex("812100")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----")
_PEM_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")


class SigningKey(Protocol):
    """What can sign for an agent: an `AgentKey`, or a key in a KMS."""

    @property
    def key_id(self) -> str:
        """The RFC 7638 thumbprint of the public key."""

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""


class AgentKey:
    """The Ed25519 key of an agent. It never shows its private part, except by the methods named `export_…`.

    Example:
        >>> key = AgentKey.generate()
        >>> key.registration("agent-code-reviewer-01", ["repo:read"])["agent_id"]
        'agent-code-reviewer-01'
    """

    __slots__ = ("_private", "_public")

    def __init__(self, seed: bytes) -> None:
        """Makes a key of its 32-byte seed. Use `AgentKey.load` for anything else."""
        if len(seed) != _SEED_BYTES:
            raise InvalidKeyError(f"The seed of a key has {_SEED_BYTES} bytes.")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def generate(cls) -> AgentKey:
        """A new key."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def load(cls, key: str | bytes | dict[str, Any]) -> AgentKey:
        """Reads a private key: a JWK (dict or JSON text), a PKCS #8 PEM, or what `nacl.sign.keyPair()` makes.

        The last is the 64-byte `secretKey` or its 32-byte seed, as bytes or base64.

        Raises:
            InvalidKeyError: It is none of these, or its public part belongs to another key.
        """
        seed, public = _parts(key)
        loaded = cls(seed)
        # Signing one seed under two public keys would give the private key away.
        if public is not None and public != loaded._public:
            raise InvalidKeyError("The public part does not belong to the private part. The key is damaged.")
        return loaded

    @property
    def key_id(self) -> str:
        """The `keyid` of signatures: the thumbprint."""
        return self.thumbprint

    @property
    def thumbprint(self) -> str:
        """RFC 7638 JWK thumbprint, SHA-256, base64url."""
        members = f'{{"crv":"Ed25519","kty":"OKP","x":"{b64url(self._public)}"}}'
        return b64url(hashlib.sha256(members.encode("ascii")).digest())

    @property
    def public_key(self) -> str:
        """The 32 bytes of the public key in base64."""
        return b64(self._public)

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 8037 §2)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(self._public)}

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return self._private.sign(data)

    def registration(self, agent_id: str, capabilities: list[str]) -> dict[str, Any]:
        """The entry for the `agents.json` of an API."""
        if not is_identifier(agent_id):
            raise ValueError("The id must be visible text of 1 to 256 characters in NFC, without space at its ends.")
        return {"agent_id": agent_id, "public_key": self.public_key, "capabilities": list(capabilities)}

    def export_jwk(self) -> dict[str, str]:
        """The private key as a JWK. Secret."""
        return {**self.public_jwk, "d": b64url(self._seed()), "kid": self.thumbprint}

    def export_pem(self) -> str:
        """The private key as a PKCS #8 PEM. Secret."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")

    def export_secret_key(self) -> bytes:
        """The 64 bytes that TweetNaCl calls secretKey. Secret."""
        return self._seed() + self._public

    def _seed(self) -> bytes:
        return self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    def __repr__(self) -> str:
        return f"<AgentKey {self.thumbprint}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A private key is not pickled. Export it by name, with export_pem().")


def _parts(key: object) -> tuple[bytes, bytes | None]:
    if isinstance(key, (bytes, bytearray)):
        if _PEM_LABEL.search(bytes(key).decode("latin-1")):
            return _parts_of_text(bytes(key).decode("latin-1").strip())
        return _parts_of_bytes(bytes(key))
    if isinstance(key, str):
        return _parts_of_text(key.strip())
    if isinstance(key, dict):
        return _parts_of_jwk(key)
    raise InvalidKeyError(f"This is not a private key. {_ACCEPTED}")


def _parts_of_text(text: str) -> tuple[bytes, bytes | None]:
    if "-----BEGIN" in text:
        return _parts_of_pem(text)
    if text.startswith("{"):
        jwk = parse_object(text)
        if jwk is None:
            raise InvalidKeyError("The key looks like a JWK, but is not JSON.")
        return _parts_of_jwk(jwk)
    data = from_b64(text)
    if not data:
        is_file = re.fullmatch(r"\S*\.(?:pem|key|jwk|json|txt)", text, re.IGNORECASE)
        hint = " It looks like a file name: pass what is in the file." if is_file else ""
        raise InvalidKeyError(f"This is not a private key.{hint} {_ACCEPTED}")
    return _parts_of_bytes(data)


def _parts_of_bytes(data: bytes) -> tuple[bytes, bytes | None]:
    if len(data) == _SEED_BYTES:
        return data, None
    if len(data) == _SECRET_KEY_BYTES:
        return data[:_SEED_BYTES], data[_SEED_BYTES:]
    raise InvalidKeyError(f"A private key has 64 bytes, or 32 (its seed), not {len(data)}. {_ACCEPTED}")


def _parts_of_pem(text: str) -> tuple[bytes, bytes | None]:
    found = _PEM.search(text)
    label = _PEM_LABEL.search(text)
    if label is not None and label.group(1) == "ENCRYPTED PRIVATE KEY":
        raise InvalidKeyError("The PEM is encrypted. Decrypt it first: openssl pkey -in key.pem -out plain.pem")
    if label is not None and label.group(1) != "PRIVATE KEY":
        raise InvalidKeyError(f"The PEM holds a {label.group(1)}; a PKCS #8 PRIVATE KEY is needed.")
    if found is None:
        raise InvalidKeyError("The PEM is incomplete.")
    der = from_b64("".join(found.group(2).split())) or b""
    if len(der) == _VERSION_TWO_BYTES and der[:16] == _VERSION_TWO and der[48:51] == _PUBLIC_KEY_FIELD:
        return der[16:48], der[51:]
    try:
        private = load_pem_private_key(found.group(0).encode("ascii"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says of a damaged key could repeat it.
        raise InvalidKeyError("The PEM cannot be read.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidKeyError("The PEM holds a private key, but not an Ed25519 one.")
    return private.private_bytes_raw(), None


def _parts_of_jwk(jwk: dict[str, Any]) -> tuple[bytes, bytes | None]:
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise InvalidKeyError('The JWK is not an Ed25519 key: it needs "kty":"OKP","crv":"Ed25519".')
    if jwk.get("alg") not in (None, "EdDSA", "Ed25519"):
        raise InvalidKeyError("The JWK is for another algorithm.")
    if jwk.get("use") not in (None, "sig"):
        raise InvalidKeyError('The JWK is not for signing ("use" is not "sig").')
    if "d" not in jwk:
        raise InvalidKeyError('The JWK is a public key: the private member "d" is missing.')
    return _jwk_bytes(jwk, "d"), _jwk_bytes(jwk, "x")


def _jwk_bytes(jwk: dict[str, Any], member: str) -> bytes:
    value = jwk.get(member)
    data = from_b64url(value) if isinstance(value, str) else None
    if data is None or len(data) != _SEED_BYTES:
        raise InvalidKeyError(f'The JWK\'s "{member}" is not 32 bytes of unpadded base64url.')
    return data
