"""The real app server as a child process, started the way `boxscope app` starts it and stopped by its id."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120  # importing torch on a busy machine of two cores
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Server:
    """A running app. `log` is the file that gets both its output streams."""

    port: int
    process_id: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def boxscope_command() -> list[str]:
    """The installed command of the environment that runs the tests."""
    return [str(Path(sys.executable).with_name("boxscope"))]


def clean_environment(home: Path) -> dict[str, str]:
    """This environment without the Streamlit settings of who runs the tests, and with its own home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    # Nothing the app needs may come from the network: whatever asks for it meets a closed door.
    closed = "http://127.0.0.1:9"
    offline = {"http_proxy": closed, "https_proxy": closed, "no_proxy": "127.0.0.1,localhost"}
    # What the tests write may be read, see conftest.py; without pytest it is what lies in the home.
    return {"BOXSCOPE_FOLDERS": str(home)} | inherited | offline | {"HOME": str(home)}


@contextmanager
def running_app(folder: Path, command: Sequence[str] | None = None) -> Iterator[Server]:
    """Serve the app from `folder` (which becomes current folder and home) until the block ends."""
    port = free_port()
    arguments = [*(command or boxscope_command()), "app", "--port", str(port)]
    with running(arguments, port, home=folder) as server:
        yield server


@contextmanager
def running(
    arguments: Sequence[str], port: int, *, home: Path, folder: Path | None = None
) -> Iterator[Server]:
    """Whatever command serves the app on `port`, run in `folder` (its home, if left out) until the block ends."""
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=folder or home,
            env=clean_environment(home),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(process, port, log)
        yield Server(port, process.pid, log)
    finally:
        _stop(process)


def request(
    server: Server, path: str, headers: dict[str, str] | None = None, *, method: str = "GET"
) -> tuple[int, bytes]:
    """Status and body of one raw request; `headers` may name any Host."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        # A switched protocol stays open: there is no body to wait for.
        return response.status, b"" if response.status == 101 else response.read()
    finally:
        connection.close()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    server = Server(port, process.pid, log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with status {process.returncode}:\n{log.read_text()}")
        try:
            if request(server, "/_stcore/health") == (200, b"ok"):
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the app was not healthy after {START_SECONDS} s:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
