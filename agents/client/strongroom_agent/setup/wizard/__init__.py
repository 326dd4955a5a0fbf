"""Setup in a terminal: asks for what is missing, and hands the answers to the same setup that asks nothing."""
