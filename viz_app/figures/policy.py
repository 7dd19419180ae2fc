"""The Content-Security-Policy of a file opened from the disk: named scripts run, nothing comes from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable


def script_hash(script: str) -> str:
    """What allows a script that stands in a page, as a source in a policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def scripts_in(markup: str) -> list[str]:
    """The scripts that stand in markup of our own making; never ask it about a page with other people's texts."""
    return re.findall(r"<script[^>]*>(.*?)</script>", markup, re.DOTALL)


def policy_meta(scripts: Iterable[str]) -> str:
    """The tag that states the policy; it belongs before any script in the head.

    Args:
        scripts: each as it stands between its tags.
    """
    allowed = " ".join(script_hash(script) for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
