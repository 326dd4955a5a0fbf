"""What is stored is what was stored: verified, repaired, scrubbed, missed."""
