"""The portal's own CAs: keys sealed in one file, certificates, rotation. `crypto` alone touches `cryptography`."""
