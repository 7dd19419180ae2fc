"""Entry point of the app: `streamlit run viz_app/app.py`, or `boxscope app`.

Streamlit reads this file twice over. Its server imports it once and finds `app`, which says whom to answer; each
run of the script executes it as `__main__`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if str(Path(__file__).resolve().parent.parent) not in sys.path:
    # Streamlit puts the folder of this file on the path; the packages lie beside it in a checkout.
    sys.path.append(str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    from viz_app.warming import wait

    wait()
    from viz_app.shell import main

    main()
else:
    from streamlit.starlette import App

    from viz_app.doorkeeper import end_if_open, middleware, opened_in_a_browser
    from viz_app.jobs.readable import guard_this_process
    from viz_app.warming import begin

    end_if_open()
    guard_this_process()
    begin()
    # Streamlit looks for this very assignment in the source before it runs anything.
    app = App(__file__, middleware=middleware(), lifespan=opened_in_a_browser)
