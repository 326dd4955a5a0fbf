"""The notification line and its list: `notices` are what events show, `publish` writes, `queries` say who sees what."""
