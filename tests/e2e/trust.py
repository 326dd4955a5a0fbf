"""Trust for one certificate authority in the way that Chromium on Linux takes it: a database of NSS below $HOME.

Chromium brings the library; `certutil`, which would do the same, is in a package of its own.
"""

import ctypes
from ctypes import byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from pathlib import Path

_TRUSTED_CA = 0x10 | 0x08  # CERTDB_TRUSTED_CA and CERTDB_VALID_CA, as `certutil -t C,,`


class _Trust(ctypes.Structure):
    _fields_ = [("servers", c_uint), ("mail", c_uint), ("objects", c_uint)]


def trust_authority(home: Path, pem: bytes) -> None:
    """Make a database below `home`, for a browser with that $HOME, in which the authority may vouch for servers."""
    folder = home / ".pki" / "nssdb"
    folder.mkdir(parents=True, mode=0o700)
    nss, reader = ctypes.CDLL("libnss3.so"), ctypes.CDLL("libsmime3.so")
    reader.CERT_DecodeCertFromPackage.argtypes = [c_char_p, c_int]
    for function in (nss.PK11_GetInternalKeySlot, nss.CERT_GetDefaultCertDB, reader.CERT_DecodeCertFromPackage):
        function.restype = c_void_p
    _done(nss.NSS_InitReadWrite(f"sql:{folder}".encode()))
    slot = c_void_p(nss.PK11_GetInternalKeySlot())
    _done(nss.PK11_InitPin(slot, None, None))
    certificate = c_void_p(reader.CERT_DecodeCertFromPackage(pem, len(pem)))
    _done(nss.PK11_ImportCert(slot, certificate, c_ulong(0), b"portal", 0))
    trust = _Trust(_TRUSTED_CA, 0, 0)
    _done(nss.CERT_ChangeCertTrust(c_void_p(nss.CERT_GetDefaultCertDB()), certificate, byref(trust)))
    nss.CERT_DestroyCertificate(certificate)
    nss.PK11_FreeSlot(slot)
    _done(nss.NSS_Shutdown())


def _done(status: int) -> None:
    assert status == 0, "NSS refused."
