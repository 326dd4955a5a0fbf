"""strongroom-agent: backs up a machine to its Strongroom vault, and proves that it can be restored."""

__version__ = "1.0.0"
