"""Taking a newer version of this program from the portal: by a signed manifest, beside the old one, and back if it fails."""
