"""The agent's packages: built, published, offered, with the commands that use them."""
