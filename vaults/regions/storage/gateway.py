"""A look through a region's gateway, on the way that machines' requests take behind the edge."""

import ssl

import httpx
from django.conf import settings

from vaults.regions.storage.base import ObjectMissing, StorageUnavailable

TIMEOUT = httpx.Timeout(5, connect=2)  # seconds


def read_config(slug: str, name: str, repository: str) -> bytes:
    """The `config` object of the repository `<vault>/<machine>`, as the gateway of the region gives it.

    `name` is what people call the region. Raises ObjectMissing, and StorageUnavailable when there is no answer.
    """
    socket = settings.GATEWAY_SOCKET.format(region=slug)
    # The bare TLS context is never used on a unix socket, and saves loading the system's certificates.
    transport = httpx.HTTPTransport(uds=socket, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    try:
        with httpx.Client(transport=transport, trust_env=False, timeout=TIMEOUT) as client:
            answer = client.get(f"http://gateway/{repository}/config")
    except httpx.HTTPError as error:
        raise StorageUnavailable(f"The gateway of {name} is not responding.") from error
    if answer.status_code == 404:
        raise ObjectMissing(f"The gateway of {name} cannot read what is stored.")
    if answer.status_code != 200:
        raise StorageUnavailable(f"The gateway of {name} is not working.")
    return answer.content
