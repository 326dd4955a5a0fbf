"""For how long a vault keeps snapshots: the policy, what goes by it, and how people change it."""
