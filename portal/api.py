"""The JSON API: who may call it, how refusals look, and the apps' routers."""

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer, SessionAuth

from portal.accounts.actors import Actor
from portal.accounts.tokens import bearer
from portal.errors import DomainError, Invalid, NotFound
from portal.http import actor_of, client_address


class Token(HttpBearer):
    """`Authorization: Bearer …` with a token from `/accounts/tokens/`."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """The token's person; None (401) for a token that is unknown, expired or revoked, or a person who left."""
        return bearer(token, address=client_address(request))


class Session(SessionAuth):
    """The portal's own session, with the CSRF header for everything but reading."""

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """The person who is signed in."""
        return actor_of(request, via="api") if request.user.is_authenticated else None


api = NinjaAPI(
    title="Strongroom",
    version="1",
    description="Backup vaults: ask for one, decide, watch, hand out credentials.",
    auth=[Token(), Session()],
)


def problem(status: int, code: str, detail: str, **extra: object) -> HttpResponse:
    """An RFC 9457 answer that carries our machine-readable `code`."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **extra}
    return JsonResponse(body, status=status, content_type="application/problem+json")


@api.exception_handler(DomainError)
def _refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    extra = {**error.extra, **({"remedy": error.remedy} if error.remedy else {})}
    return problem(error.status, error.code, error.detail, **extra)


@api.exception_handler(ValidationError)
def _malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for item in error.errors:
        fields.setdefault(str(item["loc"][-1]), []).append(str(item["msg"]))
    return _refused(request, Invalid(fields))


@api.exception_handler(Http404)
def _absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return _refused(request, NotFound())


@api.exception_handler(AuthenticationError)
def _stranger(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = problem(401, "not_signed_in", "Sign in, or send a valid token as `Authorization: Bearer`.")
    response["WWW-Authenticate"] = "Bearer"
    return response


api.add_router("", "vaults.api.router")
api.add_router("", "agents.api.router")
