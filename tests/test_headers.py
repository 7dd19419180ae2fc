"""What every answer of the server tells the browser, and that every page works under it."""

import http.client
from pathlib import Path

import plotly.graph_objects as go
import pytest
import torch
from playwright.sync_api import Page, expect
from starlette.types import Message, Receive, Scope, Send
from support.asgi import served
from support.asynchronous import finished
from support.browser import PATIENCE_MS, open_app
from support.server import free_port

from viz_app.figures import dataset_statistics
from viz_app.figures.exports import chart_page, sheet_page
from viz_app.figures.picture import BoxGroup
from viz_app.figures.sheet import Panel, Sheet
from viz_app.headers import MEDIA_HEADERS, PAGE_HEADERS, WithHeaders

PAGES = ("", "data?data=shapes:8:3")
# Before any script of the page: what the browser refuses because of the policy.
LISTEN = """window.refused = [];
document.addEventListener('securitypolicyviolation',
    event => window.refused.push([event.effectiveDirective, event.blockedURI, event.sourceFile]));"""


def _policy(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    policy = dict(headers)[b"content-security-policy"].decode()
    return {part.split()[0]: part.partition(" ")[2] for part in policy.split("; ")}


def test_a_page_runs_its_own_scripts_and_nothing_else() -> None:
    policy = _policy(PAGE_HEADERS)
    assert policy["default-src"] == "'self'" and policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'self'"
    scripts = policy["script-src"].split()
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "data:"} & set(scripts)
    assert sum(source.startswith("'sha256-") for source in scripts) == 1
    assert not any("//" in sources or "*" in sources for sources in policy.values()), "nothing from elsewhere"


def test_media_run_nothing_at_all() -> None:
    policy = _policy(MEDIA_HEADERS)
    assert policy["sandbox"] == "" and policy["default-src"] == "'none'" and "script-src" not in policy


def _answer(path: str, kind: str = "http") -> list[Message]:
    """What an app that streams three pieces sends through the middleware."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": [(b"a", b"b")]})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        for piece in (b"1", b"2", b"3"):
            await send({"type": "http.response.body", "body": piece, "more_body": piece != b"3"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    finished(WithHeaders(app)({"type": kind, "path": path}, receive, send))
    return sent


def test_bodies_pass_piece_by_piece_and_websockets_untouched() -> None:
    start, *pieces = _answer("/rpn")
    assert start["headers"] == [(b"a", b"b"), *PAGE_HEADERS]
    assert [piece["body"] for piece in pieces] == [b"1", b"2", b"3"]
    assert _answer("/media/x.html")[0]["headers"] == [(b"a", b"b"), *MEDIA_HEADERS]
    assert _answer("/_stcore/stream", "websocket") == [
        {"type": "websocket.accept", "headers": [(b"a", b"b")]}
    ]


def _headers(url: str, path: str, host: str | None = None) -> dict[str, str]:
    place = url.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host or place})
        return {name.lower(): value for name, value in connection.getresponse().getheaders()}
    finally:
        connection.close()


@pytest.mark.browser
def test_every_answer_carries_them_refusals_too(app_url: str) -> None:
    expected = {name.decode(): value.decode() for name, value in PAGE_HEADERS}
    for path, host in (("/", None), ("/_stcore/health", None), ("/nothing.js", None), ("/", "evil.example")):
        assert expected.items() <= _headers(app_url, path, host).items(), path
    assert _headers(app_url, "/media/none.png")["content-security-policy"].startswith("sandbox;")


@pytest.mark.browser
def test_pages_work_under_the_policy(page: Page, app_url: str) -> None:
    """The canvas, plotly and tables: nothing that they do is refused, and pictures come with the media's policy."""
    page.add_init_script(LISTEN)
    outside: list[str] = []
    page.on("request", lambda asked: outside.append(asked.url))
    for path in PAGES:
        open_app(page, f"{app_url}/{path}")
        if path:
            # Plotly comes after the page is drawn.
            expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE_MS)
        assert page.evaluate("window.refused") == [], path
    page.wait_for_function("[...document.images].every(image => image.naturalWidth > 0)")
    assert [url for url in outside if not url.startswith((app_url, "data:", "blob:"))] == []


@pytest.mark.browser
def test_saved_pages_draw_under_their_policy(page: Page, tmp_path: Path) -> None:
    """A sheet and a chart from the disk: plotly runs, what slipped in does not, and nothing comes from outside."""
    box = BoxGroup(torch.tensor([[2.0, 2.0, 20.0, 20.0]]), "box", "#C80000")
    evil = "<img src=https://evil.example/x onerror='window.ran = true'><script>window.ran = true</script>"
    panel = Panel("picture", (box,))
    sheet = Sheet("Sheet", torch.full((3, 40, 60), 128, dtype=torch.uint8), (panel,), head=evil)
    chart = go.Figure(go.Bar(x=["</script><script>window.ran = true</script>"], y=[1]))
    page.add_init_script(LISTEN)
    outside: list[str] = []
    page.on("requestfinished", lambda asked: outside.append(asked.url))
    for name, content, refused in (("sheet", sheet_page(sheet), 3), ("chart", chart_page(chart), 0)):
        (tmp_path / f"{name}.html").write_bytes(content)
        page.goto((tmp_path / f"{name}.html").as_uri())
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        assert page.evaluate("window.ran === undefined")
        assert len(page.evaluate("window.refused")) == refused
    assert [url for url in outside if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.browser
def test_the_policy_does_refuse(page: Page, app_url: str) -> None:
    """A script that slipped into a page does not run, and neither does text made into code."""
    page.add_init_script(LISTEN)
    page.goto(f"{app_url}/_stcore/health")
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
        const handler = document.createElement('div');
        handler.innerHTML = '<img src="data:," onerror="window.ran = true">';
        document.body.append(handler);
    }""")
    page.wait_for_function("window.refused.length >= 2")
    assert page.evaluate("window.ran === undefined")


async def _html(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers everything with a page whose script changes its title."""
    if scope["type"] == "http":
        page = b"<title>calm</title><p>there</p><script>document.title = 'ran'</script>"
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})


@pytest.mark.browser
def test_an_html_file_among_the_media_runs_nothing(page: Page) -> None:
    port = free_port()
    with served(_html, port) as url:
        page.goto(f"{url}/media/x.html")
        expect(page).to_have_title("ran")  # without the middleware it does
    with served(WithHeaders(_html), port) as url:
        page.goto(f"{url}/media/x.html")
        expect(page.get_by_text("there")).to_be_visible()
        expect(page).to_have_title("calm")
        assert page.evaluate("window.origin") == "null"


def test_no_chart_writes_code_while_it_runs() -> None:
    """WebGL traces of plotly need eval."""
    for file in Path(dataset_statistics.__file__).parent.glob("*.py"):
        assert "go.Scattergl(" not in file.read_text(encoding="utf-8"), file.name
