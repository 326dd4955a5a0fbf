"""The engine: finding it, running it, its cache, and what it says, read strictly."""
