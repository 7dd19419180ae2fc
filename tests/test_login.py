"""Who may come in: nobody is asked without `[auth]`; with it, only people of the list see a page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from support.browser import PATIENCE_MS, wait_until_idle
from support.server import boxscope_command, free_port, running

from viz_app import login as front_door
from viz_app.login import Login, read_login

AUTH = dict.fromkeys(
    ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"), "x"
)
ME = Login(frozenset({"me@example.org"}))


@pytest.fixture
def authlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra `login` were installed: what is read does not depend on it otherwise."""
    monkeypatch.setattr(front_door, "find_spec", lambda name: name)


@pytest.fixture
def read_again() -> Iterator[None]:
    front_door.login.cache_clear()
    yield
    front_door.login.cache_clear()


def test_nobody_is_asked_where_no_login_is_set_up() -> None:
    assert read_login({}, {}) is None


@pytest.mark.usefixtures("authlib")
def test_people_come_from_the_secrets_or_the_environment() -> None:
    secrets = {"auth": AUTH, "boxscope": {"people": [" Me@Example.org ", ""]}}
    assert read_login(secrets, {}) == ME
    assert read_login(secrets, {"BOXSCOPE_PEOPLE": "a@b, C@d,"}) == Login(frozenset({"a@b", "c@d"}))
    for nobody in ({"auth": AUTH}, {"auth": AUTH, "boxscope": {"people": []}}):
        assert read_login(nobody, {}) == Login(frozenset())


@pytest.mark.usefixtures("authlib")
@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"auth": {**AUTH, "client_id": ""}}, r"\[auth\] lacks client_id"),
        ({"auth": "yes"}, r"\[auth\] lacks redirect_uri, cookie_secret"),
        ({"boxscope": {"people": ["a@b"]}}, r"there is no \[auth\]"),
        ({"auth": AUTH, "boxscope": {"people": "a@b"}}, "people is 'a@b'; expected a list"),
    ],
)
def test_half_a_login_is_refused(secrets: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_login(secrets, {})


def test_a_login_without_authlib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "find_spec", lambda name: None if name == "authlib" else name)
    with pytest.raises(ValueError, match=r"needs Authlib and httpx: pip install '\.\[login\]'"):
        read_login({"auth": AUTH}, {})


@pytest.mark.parametrize(
    ("claims", "known"),
    [
        ({"email": "ME@example.org"}, True),
        ({"email": "me@example.org", "email_verified": True}, True),
        ({"email": "me@example.org", "email_verified": False}, False),
        ({"email": "me@example.org", "email_verified": "false"}, False),
        ({"email": "me@example.org.evil"}, False),
        ({"email": None}, False),
        ({"name": "me@example.org"}, False),
    ],
)
def test_people_are_known_by_their_checked_address(claims: dict[str, Any], known: bool) -> None:
    assert ME.knows(claims) is known
    assert not Login(frozenset()).knows(claims)


@pytest.mark.usefixtures("authlib", "read_again")
def test_a_stranger_sees_the_button_and_nothing_else() -> None:
    from support.app import APP

    app = AppTest.from_file(str(APP), default_timeout=120)
    app.secrets["auth"] = AUTH
    app.run()
    assert [button.label for button in app.button] == ["Log in"]
    assert not app.exception and not app.sidebar and not app.get("bidi_component")


@pytest.mark.browser
def test_a_login_at_a_provider(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The whole way: the button, the provider, back, and the list."""
    pytest.importorskip("authlib")
    from support.provider import running_provider

    home, port = tmp_path_factory.mktemp("login"), free_port()
    url = f"http://127.0.0.1:{port}"
    (home / ".streamlit").mkdir()
    with running_provider() as provider:
        (home / ".streamlit" / "secrets.toml").write_text(provider.secrets(url, ["me@example.org"]))
        # A login is what opens a public address.
        command = [*boxscope_command(), "app", "--port", str(port), "--address", "0.0.0.0"]
        with running(command, port, home=home):
            provider.person = {"email": "you@example.org"}
            page.goto(f"{url}/rpn")
            log_in = page.get_by_role("button", name="Log in")
            expect(log_in).to_be_visible(timeout=PATIENCE_MS)
            expect(page.get_by_text("Page not found")).to_have_count(0)
            log_in.click()
            expect(page.get_by_text("You are not on the list")).to_be_visible(timeout=PATIENCE_MS)
            expect(page.get_by_test_id("stSidebar")).to_have_count(0)
            page.get_by_role("button", name="Log out").click()
            provider.person = {"email": "me@example.org"}
            log_in.click(timeout=PATIENCE_MS)
            expect(page.get_by_test_id("stSidebarNav")).to_be_visible(timeout=PATIENCE_MS)
            wait_until_idle(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
