"""Known vulnerabilities of the pinned packages, as a report: it always ends with status 0.

pip-audit asks PyPI's vulnerability service. A package that the service does not know is not a package without
vulnerabilities, so those are counted and said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
SECONDS = 50


@dataclass(frozen=True, slots=True)
class Audit:
    """What the service said.

    Args:
        known: packages that it knows.
        unknown: names of those that it could not be asked about.
        found: (package, version, vulnerability, versions that mend it), one for each vulnerability.
    """

    known: int
    unknown: tuple[str, ...]
    found: tuple[tuple[str, str, str, str], ...]


def read_audit(answer: str) -> Audit:
    """The JSON of pip-audit; ValueError, KeyError or TypeError where it is none."""
    packages = json.loads(answer)["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    return Audit(
        known=len(audited),
        unknown=tuple(package["name"] for package in packages if "skip_reason" in package),
        found=tuple(
            (package["name"], package["version"], flaw["id"], ", ".join(flaw["fix_versions"]) or "-")
            for package in audited
            for flaw in package["vulns"]
        ),
    )


def report(audit: Audit) -> str:
    """A table, or one line; never that all is well where nothing was known."""
    if not audit.known:
        return (
            f"audit: the vulnerability service could not be asked about any of {len(audit.unknown)} packages"
        )
    rows = [("package", "version", "vulnerability", "mended in"), *audit.found] if audit.found else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    counted = f"{len(audit.found)} known vulnerabilities in {audit.known} packages"
    if audit.unknown:
        few = ", ".join(audit.unknown[:5]) + (", ..." if len(audit.unknown) > 5 else "")
        counted += f"; {len(audit.unknown)} could not be asked about: {few}"
    return "\n".join([*lines, f"audit: {counted}"])


def main(constraints: Path = CONSTRAINTS, seconds: float = SECONDS) -> str:
    """Ask about every pinned package, within `seconds`; the report."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(constraints),
        "--no-deps",
        "--disable-pip",
    ]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"audit: the vulnerability service could not be asked within {seconds:g} s"
    try:
        return report(read_audit(asked.stdout))
    except (ValueError, KeyError, TypeError):
        last = (asked.stderr.strip().splitlines() or ["no answer"])[-1].removeprefix(f"{sys.executable}: ")
        return f"audit: the vulnerability service could not be asked ({last})"


if __name__ == "__main__":
    print(main())
