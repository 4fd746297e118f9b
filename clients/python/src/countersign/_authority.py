"""Asks an authority for tokens, as an agent that proves itself with its key (RFC 7523, RFC 8693)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ._base64 import b64
from ._call import is_correction
from ._delegate import sign_jwt
from ._http import Answer, send
from ._json import to_json
from ._text import quote
from ._tokens import IssuedToken
from ._url import read_url
from .errors import AgentError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from ._signing import Rules

_ASSERTION_SECONDS = 60
# A token is not used in its last seconds: it must still count when the API reads it.
_MARGIN_SECONDS = 5
_OK, _UNAUTHORIZED, _TOO_MANY, _SERVER_ERROR = 200, 401, 429, 500
# No signature base and no JWT has this form, so that the signature is good for nothing else.
_CHALLENGE = re.compile(r"[a-z][a-z0-9-]{0,63}:[A-Za-z0-9_-]{1,256}")


class Authority:
    """An authority, as one agent sees it."""

    def __init__(self, issuer: str, rules: Rules, ssl_context: ssl.SSLContext | None) -> None:
        self.issuer = issuer
        self.agent_id = rules.agent_id
        self._rules = rules
        self._ssl = ssl_context
        self._endpoints: dict[str, str] = {}
        # Seconds by which its clock is ahead of ours.
        self._ahead = 0.0

    def token(self, parameters: Mapping[str, str]) -> IssuedToken:
        """Asks the token endpoint.

        Raises:
            AgentError: `token_refused` or `authority_unavailable`.
        """
        return self._issued(*self._post_form("token_endpoint", "", parameters))

    def approval(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Asks the approval endpoint, or a path below it.

        Raises:
            AgentError: `approval_refused` or `authority_unavailable`.
        """
        answer, _ = self._post_form("approval_endpoint", path, parameters)
        if answer.status == _OK:
            return answer.json
        raise AgentError("approval_refused", f"{self.issuer} takes no such question: {self._why(answer)}.")

    def challenge(self, message: str | None, parameters: Mapping[str, str]) -> IssuedToken:
        """Trades a signed challenge for a token of the agent itself. None: a message that the authority makes."""
        asked = self._rules.clock()
        if message is None:
            made = self._post_json("/challenge", {"agent_id": self._rules.agent_id})
            message = made.json.get("message") if made.status == _OK else None
            if not isinstance(message, str):
                raise self._unavailable(f"it answered with {made.status}")
        request = sign_challenge(self._rules, message)
        return self._issued(self._post_json("/challenge/token", {**request, **parameters}), asked)

    def assertion(self, now: int, token_id: str) -> str:
        """Proves the agent to this authority, and to no other."""
        rules = self._rules
        claims = {
            "iss": rules.agent_id,
            "sub": rules.agent_id,
            "aud": self.issuer,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": token_id,
        }
        return sign_jwt(rules, {"alg": "EdDSA", "kid": rules.key.key_id}, claims)

    def _post_form(self, endpoint: str, path: str, parameters: Mapping[str, str]) -> tuple[Answer, float]:
        """The answer, and when it was asked for."""
        url = self._endpoint(endpoint) + path
        asked = self._rules.clock()
        known = self._ahead
        answer = self._post(url, parameters, known)
        skew = known if answer.date is None else answer.date - asked
        if answer.status == _UNAUTHORIZED and is_correction(skew, known):
            # Once: with a clock that is wrong no assertion ever counts.
            asked = self._rules.clock()
            answer = self._post(url, parameters, skew)
            # Only a success proves the correction right.
            if answer.status == _OK:
                self._ahead = skew
        return answer, asked

    def _post(self, url: str, parameters: Mapping[str, str], ahead: float) -> Answer:
        form = {
            **parameters,
            "client_id": self._rules.agent_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(int(self._rules.clock() + ahead), str(uuid.uuid4())),
        }
        return self._send("POST", url, "application/x-www-form-urlencoded", urlencode(form))

    def _post_json(self, path: str, body: Mapping[str, Any]) -> Answer:
        return self._send("POST", f"{self.issuer.rstrip('/')}{path}", "application/json", to_json(dict(body)))

    def _endpoint(self, name: str) -> str:
        """RFC 8414 §3; OpenID Connect Discovery §4."""
        if name not in self._endpoints:
            self._endpoints[name] = self._discover(name)
        return self._endpoints[name]

    def _discover(self, name: str) -> str:
        address = read_url(self.issuer)
        path = address.path.rstrip("/")
        for url in (
            f"{address.origin}/.well-known/oauth-authorization-server{path}",
            f"{address.origin}{path}/.well-known/openid-configuration",
        ):
            answer = self._send("GET", url)
            if answer.status != _OK:
                continue
            # Metadata of another issuer would send the assertion to another server.
            if answer.json.get("issuer") != self.issuer:
                raise self._unavailable("its metadata names another issuer")
            return self._secure(name, answer.json.get(name))
        raise self._unavailable("it has no metadata")

    def _secure(self, name: str, url: object) -> str:
        try:
            address = read_url(url) if isinstance(url, str) else None
        except AgentError:
            address = None
        if address is None or not (address.is_private or self._rules.dangerously_allow_http):
            raise self._unavailable(f"its metadata has no {name} with https")
        return address.url

    def _send(self, method: str, url: str, content_type: str | None = None, body: str | None = None) -> Answer:
        headers = {
            "Accept": "application/json",
            **({} if content_type is None else {"Content-Type": content_type}),
        }
        data = None if body is None else body.encode("utf-8")
        try:
            return send(method, url, headers, data, self._ssl)
        except OSError as error:
            raise self._unavailable(f"it does not answer ({type(error).__name__})") from error

    def _issued(self, answer: Answer, asked: float) -> IssuedToken:
        token, lifetime = answer.json.get("access_token"), answer.json.get("expires_in")
        seconds = lifetime if isinstance(lifetime, (int, float)) and not isinstance(lifetime, bool) else 0
        if answer.status == _OK and isinstance(token, str) and seconds > 0:
            return IssuedToken(token, asked + max(seconds - _MARGIN_SECONDS, 1))
        raise AgentError("token_refused", f"{self.issuer} gave no token: {self._why(answer)}.")

    def _why(self, answer: Answer) -> str:
        """What the authority says is wrong with a request. Any other answer is an outage."""
        error, description = answer.json.get("error"), answer.json.get("error_description")
        if not isinstance(error, str) or answer.status >= _SERVER_ERROR or answer.status == _TOO_MANY:
            raise self._unavailable(f"it answered with {answer.status}")
        return quote(f"{error}: {description}" if isinstance(description, str) else error)

    def _unavailable(self, why: str) -> AgentError:
        return AgentError("authority_unavailable", f"The authority {self.issuer} cannot be used now: {why}.")


def sign_challenge(rules: Rules, message: str) -> dict[str, str]:
    """The article's signed challenge: `{ agent_id, message, signature }`, both in base64.

    Raises:
        AgentError: `request_malformed`; the message could be something else than a challenge.
    """
    if _CHALLENGE.fullmatch(message) is None:
        raise AgentError("request_malformed", "A challenge is like 'approve-request:174325'. Nothing else is signed.")
    data = message.encode("ascii")
    return {"agent_id": rules.agent_id, "message": b64(data), "signature": b64(rules.key.sign(data))}
