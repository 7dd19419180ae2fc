"""Start the app: Streamlit on `app.py`, under the bundled settings, from whatever folder the user is in."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from viz_app.binding import MEANT, is_public
from viz_app.bundled import config_file

_APP = Path(__file__).resolve().with_name("app.py")
_EVERY_INTERFACE = ("", "0.0.0.0", "::")


def serve(
    port: int | None = None, *, address: str | None = None, hosts: Sequence[str] = (), public: bool = False
) -> int:
    """Serve the app until it is stopped; the exit status is Streamlit's own.

    The server itself refuses to be public without a login (`viz_app.doorkeeper`), for it can be started by others.

    Args:
        port: where to listen. None takes Streamlit's default, or the next free one.
        address: where to listen. None is this machine only.
        hosts: names under which the app may be asked for, besides those of this machine and `address`.
        public: it may be open to the network without a login.

    Raises:
        ValueError: the port is out of range, taken, or not allowed to this user; the address is none of this
            machine; a host is no name.
    """
    settings = tomllib.loads(config_file().read_text(encoding="utf-8"))
    server = settings["server"]
    if address is not None:
        is_public(address)  # Names it where nothing is known by this name.
        server["address"] = address
        server["allowedHosts"] += [address] if address not in _EVERY_INTERFACE else []
    server["allowedHosts"] += _checked(hosts)
    if port is not None:
        _check_port(server["address"], port)
    if public:
        os.environ[MEANT] = "1"
    command = streamlit_command(settings, port)
    if os.name != "nt":
        # The server takes this process over, so signals, process id and exit status are its own.
        os.execv(command[0], command)
    # Windows has no exec: there the console hands Ctrl+C to parent and child alike.
    return subprocess.call(command)


def streamlit_command(settings: dict[str, Any], port: int | None) -> list[str]:
    """The command line that serves the app under `settings` (the parsed config.toml).

    Every setting goes along as a flag: only flags beat the `.streamlit/config.toml` of the folder the user
    happens to be in, and its copy in the user's home.
    """
    # -P: a folder with its own `detector` or `streamlit` in it must not be imported instead of the real one.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(_APP)]
    # Installed code does not change under the reader, and watching it would walk every module of torch.
    command.append("--server.fileWatcherType=none")
    # Who may come in is said at home, not by the folder one happens to be in.
    command.append(f"--secrets.files={Path.home() / '.streamlit' / 'secrets.toml'}")
    command.append("--server.trustedUserHeaders={}")
    command += _flags(settings)
    if port is not None:
        command.append(f"--server.port={port}")
    return command


def _checked(hosts: Sequence[str]) -> Sequence[str]:
    for host in hosts:
        # A pattern would answer under names that others choose.
        if not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError(
                f"host {host!r}: expected a name such as boxscope.example, without scheme, path or *"
            )
    return hosts


def _flags(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """`{"server": {"address": "x"}}` as `--server.address=x`, in the spelling Streamlit reads."""
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flags(value, f"{key}.")
        elif isinstance(value, list) and not key.startswith("theme."):
            yield from (f"--{key}={item}" for item in value)
        elif isinstance(value, str):
            yield f"--{key}={value}"
        else:
            # Streamlit reads the theme's lists, and every boolean and number, as JSON.
            yield f"--{key}={json.dumps(value)}"


def _check_port(address: str, port: int) -> None:
    """Refuse a port that cannot be listened on, before Streamlit starts and logs a page about it."""
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is out of range: give one from 1 to 65535")
    # As the server does: a colon is IPv6, nothing is every interface.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a port whose last connections still linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ValueError(_port_trouble(address, port, error)) from error


def _port_trouble(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"address {address} is none of this machine: give one that it has, or leave --address out"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is already taken: stop what listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} is reserved for the administrator: choose one above 1023 with --port"
    return f"port {port} cannot be listened on ({error.strerror}): choose another with --port"
