"""Taking a newer version of this program: by a signed manifest, laid beside the old one, and back if it fails."""
