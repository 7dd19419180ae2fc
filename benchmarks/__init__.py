"""Measures of DESIGN section 6, as ratios within one run: `python -m benchmarks` (`make bench`)."""
