"""A vault's life: created, provisioned, its redundancy chosen and locked. Others import the module that they need."""
