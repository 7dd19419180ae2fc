"""Entry point of the app: `streamlit run viz_app/app.py`, or `boxscope app`."""

from __future__ import annotations

import sys
from pathlib import Path

if str(Path(__file__).resolve().parent.parent) not in sys.path:
    # Streamlit puts the folder of this file on the path; the packages lie beside it in a checkout.
    sys.path.append(str(Path(__file__).resolve().parent.parent))

from viz_app.shell import main

main()
