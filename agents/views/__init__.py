"""Pages about machines: Quick Start, Registered machines, one machine, and the agent packages."""
