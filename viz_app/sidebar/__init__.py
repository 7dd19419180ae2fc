"""What stands in the sidebar: which detector, which image, which thresholds."""
