"""Pages of the documentation that are made from the code: `python -m docs.reference` writes them.

They are checked in, so that they can be read in the repository too; a test says when they are not as the code is.
"""
