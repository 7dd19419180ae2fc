"""The price of a change over a whole data set, worked out when it is asked for."""

from __future__ import annotations


def price_on_request(scene, remedy): ...
