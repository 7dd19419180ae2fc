"""Who may come in: Streamlit's own login (OpenID Connect), and a list of people.

Both are set up in Streamlit's secrets, read once when the server starts:

    [auth]                      # see `st.login`
    redirect_uri = "https://boxscope.example/oauth2callback"
    cookie_secret = "..."
    client_id = "..."
    client_secret = "..."
    server_metadata_url = "https://provider.example/.well-known/openid-configuration"

    [boxscope]
    people = ["me@example.org"]

Where there is no `[auth]`, nobody is asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

PEOPLE = "BOXSCOPE_PEOPLE"
"""The environment variable that lists people, with commas between; it replaces the list in the secrets."""

_NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True, slots=True)
class Login:
    """How people come in.

    Args:
        people: their e-mail addresses, lower case; empty lets nobody in.
    """

    people: frozenset[str]

    def knows(self, claims: Mapping[str, Any]) -> bool:
        """Whether the provider names somebody of the list, and does not say that the address is unchecked."""
        email = str(claims.get("email") or "").strip().lower()
        return email in self.people and claims.get("email_verified", True) in (True, "true")


def read_login(secrets: Mapping[str, Any], environment: Mapping[str, str]) -> Login | None:
    """The login that is set up, None where there is none.

    Raises:
        ValueError: it is half set up: somebody who meant to close the door must not find it open.
    """
    people = _people(secrets, environment)
    auth = secrets.get("auth")
    if auth is None:
        if people is not None:
            raise ValueError("secrets: people are listed, but there is no [auth] by which they could log in")
        return None
    missing = [key for key in _NEEDED if not isinstance(auth, Mapping) or not auth.get(key)]
    if missing:
        raise ValueError(f"secrets: [auth] lacks {', '.join(missing)}")
    if find_spec("authlib") is None or find_spec("httpx") is None:
        raise ValueError("a login needs Authlib and httpx: pip install '.[login]' in the checkout")
    return Login(people or frozenset())


@cache
def login() -> Login | None:
    """The login of this server, read once: a secrets file that is lost later opens nothing.

    Raises:
        ValueError: the secrets cannot be read, or the login is half set up.
    """
    try:
        secrets = st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if error.error_id != "no-secrets-found":
            raise ValueError(f"secrets: they cannot be read ({error})") from error
        secrets = {}
    return read_login(secrets, os.environ)


def admitted() -> bool:
    """Whether to go on with the page; if not, a button or a sentence is drawn instead."""
    asked = login()
    if asked is None:
        return True
    if st.user.get("is_logged_in") is not True:
        st.title("Boxscope")
        st.button("Log in", type="primary", on_click=st.login)
        return False
    if asked.knows(st.user.to_dict()):
        return True
    st.error(_turned_away(asked))
    st.button("Log out", on_click=st.logout)
    return False


def _turned_away(asked: Login) -> str:
    if not asked.people:
        return "The list of people is empty, so nobody gets in: whoever runs this server fills it."
    return "You are not on the list of people who may use this server: ask whoever runs it."


def _people(secrets: Mapping[str, Any], environment: Mapping[str, str]) -> frozenset[str] | None:
    """The list, lower case; None where none is given.

    Raises:
        ValueError: it is no list of texts.
    """
    if PEOPLE in environment:
        given: Any = environment[PEOPLE].split(",")
    else:
        own = secrets.get("boxscope", {})
        given = own.get("people") if isinstance(own, Mapping) else None
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(person, str) for person in given):
        raise ValueError(f'secrets: people is {given!r}; expected a list like ["me@example.org"]')
    return frozenset(person.strip().lower() for person in given) - {""}
