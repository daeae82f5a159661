"""An OpenID provider on this machine: discovery, keys, codes with PKCE, what it says of people, signed if wanted."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "ilaas", "a-client-secret"


class OidcProvider:
    """`signs_userinfo` as ProConnect does. `told` is what it says of whoever signs in; `changes` alters an answer."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.port = 0
        self.signs_userinfo = False
        self.told: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}
        self.issuer_told = ""
        self.asked: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def authorize(self, url: str) -> tuple[str, str]:
        """Return code and state for a browser that was sent here and has said who it is."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.asked = asked
        code = secrets.token_hex(8)
        self._codes[code] = asked.get("code_challenge", "")
        return code, asked["state"]

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "one"})

    def answer(self, path: str, form: dict[str, str], bearer: str) -> tuple[int, str, str]:
        if path == "/.well-known/openid-configuration":
            return self._json(
                {
                    "issuer": self.issuer_told or self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                    "jwks_uri": f"{self.issuer}/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            )
        if path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return self._json({"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]})
        if path == "/token":
            return self._token(form)
        if path == "/userinfo" and bearer == "access":
            claims = {**self.told, **self.changes.get("userinfo", {})}
            if not self.signs_userinfo:
                return self._json(claims)
            whole = {**self._about(), **claims}
            return 200, "application/jwt", self.signed(whole)
        return 404, "text/plain", "nothing here"

    def _token(self, form: dict[str, str]) -> tuple[int, str, str]:
        challenge = self._codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        expected = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        knows = form.get("client_id") == CLIENT and form.get("client_secret") == SECRET
        if challenge is None or challenge != expected or not knows:
            return 400, "application/json", json.dumps({"error": "invalid_grant"})
        claims = {**self._about(), "sub": self.told.get("sub"), **self.changes.get("id_token", {})}
        text = self.changes.get("raw_id_token") or self.signed(claims)
        return self._json({"access_token": "access", "token_type": "Bearer", "id_token": text})

    def _about(self) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300}

    def _json(self, told: dict[str, Any]) -> tuple[int, str, str]:
        return 200, "application/json", json.dumps(told)


@contextmanager
def oidc_provider() -> Iterator[OidcProvider]:
    """Yield a provider that answers on a free port of 127.0.0.1."""
    provider = OidcProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond({})

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            form = parse_qs(self.rfile.read(length).decode())
            self._respond({name: values[0] for name, values in form.items()})

        def _respond(self, form: dict[str, str]) -> None:
            bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
            status, kind, text = provider.answer(urlsplit(self.path).path, form, bearer)
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Tests say what went wrong."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
