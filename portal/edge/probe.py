"""What the edge does at this moment, found out by talking to it: files on disk may not have reached it yet."""

import socket
import ssl
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Certificate, Kind, Profile
from portal.pki.crypto.issuing import Authority

TIMEOUT = 5.0  # seconds
TRIAL = timedelta(minutes=1)  # how long the certificate for a trial is good; no row knows it, so it opens nothing


def shown(edge_url: str) -> Certificate:
    """The certificate that the edge shows, whoever issued it; raises OSError when it does not answer."""
    with _connected(edge_url, _any_server()) as connection:
        return certificates.read_der(connection.getpeercert(binary_form=True) or b"")


def accepts(edge_url: str, clients: Authority, at: datetime) -> bool:
    """Whether the edge takes client certificates of that CA, by trying one; raises OSError when it does not answer."""
    context = _any_server()
    _load_trial_certificate(context, clients, at)
    host = urlsplit(edge_url).netloc
    try:
        with _connected(edge_url, context) as connection:
            # TLS 1.3 tells the client that its certificate was refused only when it reads.
            connection.sendall(f"GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(12) == b"HTTP/1.1 200"
    except ssl.SSLError:
        return False


def _any_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to see what is there; nothing is entrusted to it
    return context


def _connected(edge_url: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    parts = urlsplit(edge_url)
    host = parts.hostname or ""
    plain = socket.create_connection((host, parts.port or 443), timeout=TIMEOUT)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _load_trial_certificate(context: ssl.SSLContext, clients: Authority, at: datetime) -> None:
    key = keys.new_key()
    profile = Profile(Kind.MACHINE, uuid4())
    leaf = issuing.issue_client(clients, key.public_key(), profile, at=at, until=at + TRIAL)
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; the ssl module reads keys from files only
        path = Path(folder, "trial.pem")
        path.write_text(keys.private_pem(key) + certificates.pem(leaf, clients.certificate))
        context.load_cert_chain(path)
