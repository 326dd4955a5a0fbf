"""`make bench`: every timing as a ratio to something measured in the same run. See docs/bench.md."""
