"""`make run`: checks, prepares, starts and watches all parts of the portal on one machine."""
