"""How `--help` writes an option: what it means and what it is by default, in our words and once."""

from __future__ import annotations

from argparse import SUPPRESS, Action

from jsonargparse import DefaultHelpFormatter


class PlainHelp(DefaultHelpFormatter):
    """Without the parser's own types and defaults, which say `null` where the help says what happens then."""

    def _get_help_string(self, action: Action) -> str:
        said = action.help or ""
        if not action.option_strings:
            return said
        if action.required:
            return f"{said} (required)"
        unsaid = action.default in (None, False, SUPPRESS, []) or "default" in said
        return said if unsaid else f"{said}; {action.default} by default"
