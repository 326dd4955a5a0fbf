"""The JSON API: who may call it, how refusals look, and the apps' routers."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, RawPostDataException
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer, SessionAuth

from portal.accounts.tokens import bearer
from portal.api.problems import NotSignedIn, describe
from portal.core.actor import Actor, Via
from portal.core.errors import DATABASE_AWAY, DomainError, Invalid, NotAllowed, NotFound, unavailable
from portal.core.http import ApiRequest, actor_of, client_address

log = logging.getLogger(__name__)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = Callable[..., HttpResponse]
_SIGN_IN = ("You are not signed in.", "Sign in, or send an API token.")
_SIGN_IN_AGAIN = ("Your session has ended.", "Sign in again, then repeat this.")  # said to a page of ours
_NEW_TOKEN = ("This API token is unknown, has expired, or was revoked.", "Create a new one on the API tokens page.")


class Token(HttpBearer):
    """`Authorization: Bearer …` with a token from `/accounts/tokens/`."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        """The token's person; raises AuthenticationError for a token that is unknown, expired or revoked, or a person
        who left, even if a session comes with it; NotAllowed for a token of scope `read` that wants to change."""
        actor = bearer(token, address=client_address(request))
        if actor is None:
            raise AuthenticationError
        if actor.read_only and request.method not in SAFE:
            raise NotAllowed("This token is read-only.", remedy="Create one with full access.")
        return actor


class Session(SessionAuth):
    """The portal's own session, with the CSRF header for everything but reading."""

    def __call__(self, request: HttpRequest) -> Actor | None:
        """The person who is signed in; strangers are told to sign in, not that a CSRF token is missing."""
        return super().__call__(request) if request.user.is_authenticated else None

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor:
        """The person who is signed in; raises NotAllowed for one who has to choose a password of their own first."""
        actor = actor_of(request, via=Via.API)
        if actor.person.must_change_password:
            raise NotAllowed("Your password was set by an administrator.", remedy="Change it on the Your account page.")
        return actor


api = NinjaAPI(
    title="Strongroom",
    version="1",
    description="Request backup vaults, decide on requests, follow vaults and machines, issue credentials.",
    auth=[Token(), Session()],
    openapi_url=None,  # an operation below, so that tokens open it; the docs are a page of ours
    docs_url=None,
)


def problem(status: int, code: str, detail: str, **extra: object) -> HttpResponse:
    """An RFC 9457 answer that carries our machine-readable `code`."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **extra}
    return JsonResponse(body, status=status, content_type="application/problem+json")


@api.exception_handler(DomainError)
def _refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    extra = {**error.extra, **({"remedy": error.remedy} if error.remedy else {})}
    response = problem(error.status, error.code, error.detail, **extra)
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response


@api.exception_handler(ValidationError)
def _malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for item in error.errors:
        message = str(item["msg"]).removeprefix("Value error, ")
        fields.setdefault(str(item["loc"][-1]), []).append(message)
    return _refused(request, Invalid(fields))


@api.exception_handler(Http404)
def _absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return _refused(request, NotFound())


@api.exception_handler(AuthenticationError)
def _stranger(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    of_a_page = _SIGN_IN_AGAIN if "X-CSRFToken" in request.headers else _SIGN_IN
    message, remedy = _NEW_TOKEN if "Authorization" in request.headers else of_a_page
    response = _refused(request, NotSignedIn(message, remedy=remedy))
    response["WWW-Authenticate"] = "Bearer"
    return response


def _away(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """The database is away, locked for longer than we wait, or out of room."""
    log.warning("The database does not answer (%s): %s %r failed", error, request.method, request.path)
    return _refused(request, unavailable())


for _kind in DATABASE_AWAY:
    api.add_exception_handler(_kind, _away)


@api.exception_handler(RawPostDataException)
def _read_as_a_form(request: HttpRequest, error: RawPostDataException) -> HttpResponse:
    """A form in the place of JSON: the check of its CSRF token has read it already."""
    return _refused(request, Invalid({"body": ["This is not JSON."]}))


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What ninja itself refuses: a body that is no JSON, a session without its CSRF header."""
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return _refused(request, Invalid({"body": ["This is not JSON."]}))
    if error.status_code == HTTPStatus.FORBIDDEN:
        message = "The CSRF token of the session is missing or wrong."
        return _refused(request, NotAllowed(message, remedy="Send it as the header `X-CSRFToken`, or use a token."))
    return problem(error.status_code, "failed", str(error))


def schema() -> dict[str, Any]:
    """The OpenAPI description of all endpoints."""
    return describe(dict(api.get_openapi_schema()))


rest = Router()


@rest.get("/openapi.json", include_in_schema=False)
def openapi(request: ApiRequest) -> HttpResponse:
    """The description, for those who may use what it describes."""
    return JsonResponse(schema())


@rest.api_operation(["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:unknown}", include_in_schema=False)
def nothing(request: ApiRequest, unknown: str) -> HttpResponse:
    """Paths that do not exist are refused in the form of everything else here."""
    raise NotFound


api.add_router("", "vaults.api.router")
api.add_router("", "agents.api.router")
api.add_router("", "portal.audit.api.router", tags=["Audit log"])
api.add_router("", rest)


def _with_problems(view: View) -> View:
    """The view with a problem for methods that it does not have: ninja refuses those past all handlers above."""

    @wraps(view)
    def answered(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        methods = ", ".join(sorted(response["Allow"].split(", ")))
        refusal = problem(405, "method_not_allowed", f"{request.method} is not allowed here. Allowed: {methods}.")
        refusal["Allow"] = methods
        return refusal

    return answered


def _urls() -> tuple[list[URLResolver | URLPattern], str, str]:
    """The operations. They tell strangers apart themselves, and answer them in JSON."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = login_not_required(_with_problems(pattern.callback))
    return patterns, app_name, namespace


urls = _urls()
