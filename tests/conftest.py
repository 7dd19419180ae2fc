"""Fixtures for every test: one thread per parallel worker, the running app, Debian's Chromium."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: workers that each spin a thread per core only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def folders_of_the_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The app may read what tests write, as if it were started with `--folder`; see `viz_app.jobs.readable`."""
    from viz_app.jobs.readable import VARIABLE

    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(tmp_path_factory.getbasetemp())
    yield
    if before is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """How pytest-playwright starts its browser."""
    from support.browser import chromium_launch_options

    return chromium_launch_options()


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """A laptop's window, and light whatever the machine prefers."""
    return {"viewport": {"width": 1440, "height": 920}, "color_scheme": "light"}


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real app, served for all browser tests of this worker."""
    from support.server import running_app

    with running_app(tmp_path_factory.mktemp("app")) as server:
        yield server.url


@pytest.fixture
def fresh_caches() -> Iterator[None]:
    """AppTest keeps what `cache_resource` holds from one test to the next: nothing before, nothing after."""
    import streamlit as st

    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
