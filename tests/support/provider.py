"""A tiny OpenID Connect provider on this machine: it lets in whoever `person` names, without asking.

Authorization code flow, identity tokens signed with RS256. Needs joserfc, which comes with Authlib.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from support.asgi import served
from support.server import free_port

CLIENT, SECRET = "boxscope", "not a secret"


@dataclass(slots=True)
class Provider:
    """What it says of who logs in, and where it is.

    Args:
        url: of the provider.
        person: the claims about the next person.
        nonces: by the code that was handed out for them.
    """

    url: str
    person: dict[str, Any] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)

    def secrets(self, app_url: str, people: list[str]) -> str:
        """A secrets.toml for the app at `app_url`."""
        return (
            f'[auth]\nredirect_uri = "{app_url}/oauth2callback"\ncookie_secret = "{"x" * 40}"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{self.url}/.well-known/openid-configuration"\n'
            f"[boxscope]\npeople = {people!r}\n"
        )


@contextmanager
def running_provider() -> Iterator[Provider]:
    """The provider, answering until the block ends."""
    port = free_port()
    provider = Provider(f"http://127.0.0.1:{port}")
    with served(_app(provider), port):
        yield provider


def _app(provider: Provider) -> Starlette:
    from joserfc import jwk, jwt  # pyright: ignore[reportMissingImports]

    key = jwk.RSAKey.generate_key(2048, parameters={"kid": "1", "use": "sig", "alg": "RS256"})

    def about(request: Request) -> JSONResponse:
        del request
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {"issuer": provider.url}
            | {name: f"{provider.url}/{place}" for name, place in places.items()}
            | {"id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["code"]}
        )

    def authorize(request: Request) -> RedirectResponse:
        asked = request.query_params
        code = f"code-{len(provider.nonces)}"
        provider.nonces[code] = asked["nonce"]
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}")

    async def token(request: Request) -> JSONResponse:
        code = str((await request.form())["code"])
        now = int(time.time())
        claims = {"iss": provider.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600}
        claims |= {"nonce": provider.nonces.pop(code)} | provider.person
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": signed})

    def keys(request: Request) -> JSONResponse:
        del request
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", about),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
            Route("/keys", keys),
        ]
    )
