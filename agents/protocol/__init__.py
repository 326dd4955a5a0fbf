"""The wire between machines and the portal, docs/protocol.md: messages, certificates, errors, answers."""
