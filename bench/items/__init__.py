"""What is measured: each module gives rows of the table."""
