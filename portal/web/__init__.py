"""The frame of every page: shell, navigation, search, forms that came too late, errors, the admin site."""
