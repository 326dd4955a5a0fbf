"""The notification line and its list: `publish` writes, `queries` says what somebody sees."""
