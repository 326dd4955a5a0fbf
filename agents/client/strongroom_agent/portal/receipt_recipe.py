"""How to verify receipts without Strongroom: the text and the program that `receipts --to` writes beside them."""

HOW_TO = """These are receipts of the machine {name} for its backups in vault {vault}, made by the machine itself.

<time>_<kind>_<run>.jws    one receipt: a compact JWS (RFC 7515), ES256, with the certificates in x5c
<time>_<kind>_<run>.files  the files that this restore check has proven: JSON arrays of path, size in bytes and
                           SHA-256, one on each line; the receipt has the SHA-256 of this file as proven.sha256

To verify them you need Python 3 with the package `cryptography`, and the portal's root certificate. Take that from the
portal, not from this machine: {edge}/agents/root.pem, or `ca_certificates` of a vault credentials file. Then run

    python3 verify.py . root.pem

It says for each receipt whether the signature holds, and which machine has signed it by a certificate of that portal
which was valid when the run ended. What a receipt says is what the machine has said: whoever is root on the machine
could have made it say something else. What the portal has stored of it, and when, is on the machine's page.
"""

PROGRAM = '''"""Verify the receipts in a folder: python3 verify.py FOLDER ROOT.pem"""

import base64
import hashlib
import json
import pathlib
import sys
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def require(holds, what):
    if not holds:
        raise ValueError(what)


def plain(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(path, roots):
    """What the receipt says; an exception says why it must not be believed."""
    head, body, signature = path.read_text("ascii").strip().split(".")
    header, raw = json.loads(plain(head)), plain(signature)
    kind = (header.get("alg"), header.get("typ"), sorted(header), len(header["x5c"]), len(raw))
    require(kind == ("ES256", "strongroom-receipt+jws", ["alg", "typ", "x5c"], 2, 64), "it is no receipt")
    machine, issuer = (x509.load_der_x509_certificate(base64.b64decode(each)) for each in header["x5c"])
    root = next((each for each in roots if each.subject == issuer.issuer), None)
    require(root is not None, "its certificate is not by this root")
    issuer.verify_directly_issued_by(root)
    machine.verify_directly_issued_by(issuer)
    require(issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, "its issuer is no CA")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    text = f"{head}.{body}".encode("ascii")
    machine.public_key().verify(utils.encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))
    receipt = json.loads(plain(body))
    names = machine.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    require(uris == ["urn:strongroom:machine:" + receipt["machine"]["id"]], "another machine has signed it")
    ended = datetime.fromisoformat(receipt["finished_at"].replace("Z", "+00:00"))
    times = all(each.not_valid_before_utc <= ended <= each.not_valid_after_utc for each in (machine, issuer, root))
    require(times, "its certificate was not valid when the run ended")
    files = path.with_suffix(".files")
    if files.exists():
        digest = hashlib.sha256(files.read_bytes()).hexdigest()
        require(digest == receipt["proven"]["sha256"], f"{files.name} is not the list of this receipt")
    return receipt


def main(folder, root):
    roots = x509.load_pem_x509_certificates(pathlib.Path(root).read_bytes())
    bad = 0
    for path in sorted(pathlib.Path(folder).glob("*.jws")):
        try:
            receipt = verified(path, roots)
        except Exception as error:
            bad += 1
            print(f"BAD  {path.name}: {error or type(error).__name__}")
        else:
            about = (receipt["machine"]["name"], receipt["kind"], receipt["outcome"], receipt["finished_at"])
            print(f"good {path.name}:", *about, receipt["snapshot"])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
'''
