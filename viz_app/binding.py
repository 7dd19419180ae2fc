"""Where the app may listen: for this machine always, for others behind a login or when somebody says so.

Whoever can open the app acts as the user who started it (docs/threat_model.md).
"""

from __future__ import annotations

import os
import socket
from ipaddress import IPv6Address, ip_address

MEANT = "BOXSCOPE_PUBLIC"
"""The environment variable that says so: 1 opens the app to the network without a login."""


def is_public(address: str) -> bool:
    """Whether somebody else than this machine can reach a server that listens there.

    Args:
        address: IPv4, IPv6 or a name; empty is every interface.

    Raises:
        ValueError: a name that nothing is known by.
    """
    return not all(_is_loopback(number) for number in _numbers(address))


def check_binding(address: str, *, login: bool) -> str | None:
    """What to warn of before the app listens at `address`; None if there is nothing.

    Args:
        address: as for `is_public`.
        login: whether a login is set up.

    Raises:
        ValueError: it is public, no login is set up, and nobody said that this is meant; or an unknown name.
    """
    if not is_public(address) or login:
        return None
    shown = address or "every interface"
    if os.environ.get(MEANT) != "1":
        raise ValueError(
            f"{shown} is open to the network, and whoever can open the app acts as you: set up a login "
            f"(docs/threat_model.md), or say that you mean it with `boxscope app --public` or {MEANT}=1"
        )
    return f"open to the network at {shown} without a login: whoever can reach the app acts as you"


def _numbers(address: str) -> list[str]:
    """Every numeric address that the name stands for."""
    try:
        found = socket.getaddrinfo(address or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"address {address!r}: nothing is known by this name; give one of this machine"
        ) from error
    return [str(entry[4][0]) for entry in found]


def _is_loopback(number: str) -> bool:
    address = ip_address(number)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
