"""The documentation as a site: `make docs` builds it with Sphinx from the Markdown files where they lie.

Its source folder is the project's own, so that a link is written once and leads to the same file here and in the
repository.
"""

project = "Strongroom"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "agents/client/README.md"]
# Folders that have no pages are not even looked through.
exclude_patterns = [".*", "bench", "build", "deploy", "dist", "portal", "static", "templates", "tests", "var", "vaults"]
highlight_language = "none"
myst_heading_anchors = 4

html_theme = "furo"
html_title = "Strongroom"
html_favicon = "../static/mark.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_search_summary = False  # it is fetched, which browsers do not do for files
html_use_index = False
