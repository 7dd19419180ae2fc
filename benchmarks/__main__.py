"""Run every benchmark, each in a process of its own: what one leaves in memory does not weigh on the next.

`python -m benchmarks capture slider` runs these two. One that fails is named at the end, and the others still run.
"""

from __future__ import annotations

import subprocess
import sys
import time

# Those on which bars stand come first, growth curves last: they take longest.
ORDER = (
    "capture",
    "box_what_if",
    "rpn_what_if",
    "verdicts",
    "dataset_diagnosis",
    "evaluation",
    "threshold_tuning",
    "training_step",
    "canvas",
    "slider",
    "growth",
)


def main(names: list[str]) -> int:
    """Run these, or all; returns the exit status."""
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        print(f"{', '.join(unknown)}: no such benchmark; there are {', '.join(ORDER)}", file=sys.stderr)
        return 2
    began, failed = time.monotonic(), []
    for name in names or ORDER:
        begin = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
        print(f"  [{name}: {_told(time.monotonic() - begin)}]", flush=True)
    print(f"\nAll of it took {_told(time.monotonic() - began)}.")
    if failed:
        print(f"These failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _told(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
