"""Where the files that come with Boxscope lie, in a checkout and in an installed wheel.

A wheel carries them inside `viz_app` (see force-include in pyproject.toml); a checkout has them beside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _bundled(relative: str) -> Path:
    """The packaged copy of `relative`, else the checkout's own."""
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative} is neither in {_PACKAGE} nor beside it: "
        "this copy of Boxscope is incomplete, install it again"
    )


def config_file() -> Path:
    """Streamlit's settings for the app (TOML)."""
    return _bundled(".streamlit/config.toml")


def sample_images_folder() -> Path:
    """The bundled scenes: images and their `annotations.json`."""
    return _bundled("sample_images")
