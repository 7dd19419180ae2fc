"""The subcommands of `boxscope`."""
