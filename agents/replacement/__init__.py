"""Requests that another computer takes a machine's place: asked, decided, told about."""
