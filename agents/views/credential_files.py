"""The answer that a credential file is."""

import json

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from vaults.credentials.issuance import Issued


def credential_file_response(issued: Issued) -> HttpResponse:
    """The file as a download that nothing on the way keeps: where the portal made the key, it is in there."""
    disposition = content_disposition_header(as_attachment=True, filename=issued.file_name)
    return HttpResponse(
        json.dumps(issued.document, indent=1, ensure_ascii=False) + "\n",
        content_type="application/octet-stream",
        headers={"Cache-Control": "no-store", "Content-Disposition": disposition or "attachment"},
    )
