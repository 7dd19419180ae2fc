"""The server imports what is heavy before anybody asks; in a process of its own, as it is done once in a life."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, sys
from threading import active_count
import viz_app.warming as warming

warming.wait()
assert "torch" not in sys.modules, "nothing was begun"
warming.HEAVY = ("no_such_module_at_all", *warming.HEAVY)
warming.begin()
threads = active_count()
warming.begin()
assert active_count() <= threads, "begun twice"
warming.wait()
missing = [name for name in warming.HEAVY[1:] if name not in sys.modules]
assert not missing, missing
drawing = [name for name in sys.modules if name.startswith(("viz_app.components", "viz_app.canvas.component"))]
assert not drawing, drawing
assert gc.isenabled() and gc.get_freeze_count() > 100_000
print("warm")
"""


def test_what_is_heavy_is_there_once_it_was_waited_for() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout) == (0, "warm\n"), run.stderr
