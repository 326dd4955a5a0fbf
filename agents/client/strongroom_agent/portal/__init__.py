"""What goes to the portal and its storage: credential, registration, signed requests, reports, regions."""
