"""The packages of `make agents`, installed as people do it; `make test-agents` runs it, no other suite does."""

NEWER = "99.0.0"
"""The version of the packages that are upgraded to."""
