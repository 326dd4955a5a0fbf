"""All that the site does with keys and certificates; on the server nothing else imports `cryptography`.

Every key is P-256, every signature ECDSA with SHA-256. What comes from outside is read by the `read_…` functions, which
raise Unacceptable, with a reason fit for people, for anything but what we expect.
"""
