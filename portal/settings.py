"""Django settings, all of them from the environment (see portal/config/env.py and README.md, *Settings*)."""

from pathlib import Path
from urllib.parse import urlsplit

from portal.config import databases, env
from portal.config.secrets import secret

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(env.text("STRONGROOM_DATA", str(BASE_DIR / "var"))).resolve()
RUN = DATA / "run"  # unix sockets; kept short, because their paths end at about 108 characters

PRODUCTION = env.flag("STRONGROOM_PRODUCTION")
DEBUG = env.flag("DEBUG")
SECRET_KEY = secret("SECRET_KEY", DATA)
SEAL_KEY = secret("STRONGROOM_SEAL_KEY", DATA, make=not PRODUCTION)  # production keeps it elsewhere (portal/checks.py)
SEAL_KEY_OLD = env.text("STRONGROOM_SEAL_KEY_OLD", "")  # opens what SEAL_KEY does not; never seals
EDGE_SECRET = secret("STRONGROOM_EDGE_SECRET", DATA)

PORT = env.number("PORT", 8000)
EDGE_PORT = env.number("EDGE_PORT", 8443)
PORTAL_URL = env.text("PORTAL_URL", f"http://localhost:{PORT}").rstrip("/")
EDGE_URL = env.text("EDGE_URL", f"https://localhost:{EDGE_PORT}").rstrip("/")
_portal = urlsplit(PORTAL_URL)
_edge = urlsplit(EDGE_URL)

ALLOWED_HOSTS = sorted({_portal.hostname or "", _edge.hostname or "", "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HTTPS = _portal.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "portal.web.admin_app.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "template_partials",
    "portal",
    "portal.accounts",
    "portal.approvals",
    "portal.audit",
    "portal.notifications",
    "vaults",
    "agents",
]
FORM_RENDERER = "portal.web.widgets.Renderer"
MIDDLEWARE = [
    "portal.web.middleware.whole_bodies",
    "portal.web.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.web.middleware.hidden_characters",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.web.middleware.SignInRequiredMiddleware",
    "portal.web.middleware.KeptFormsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.web.middleware.DomainErrorMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["portal.templatetags.forms"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.shell.shell",
            ],
        },
    }
]

DATABASES = {"default": databases.database("DATABASE_URL", DATA / "strongroom.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORDS_AT_ONCE = 2  # of strangers, in one web process; as many wait: half of its threads (deploy/runner/web.py)
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "full_name", "email")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "portal.accounts.passwords.GuessableValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "vaults:list"
CSRF_FAILURE_VIEW = "portal.web.error_pages.csrf_failure"

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "portal.formats"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "portal.web.static_files.KnownAddresses"
    },
}

# The broker is disposable: rows are the truth, and the sweep finds what the broker lost (portal/queue.py).
BROKER_URL = env.text("BROKER_URL", f"redis+socket://{RUN / 'valkey.sock'}")
VISIBILITY_TIMEOUT = 2 * 3600  # seconds; above the longest task

REGIONS_FILE = Path(env.text("REGIONS_FILE", str(DATA / "regions.toml")))
STORAGE_SOCKET = env.text("STORAGE_SOCKET", str(RUN / "storage.sock"))  # rclone's remote control
GATEWAY_SOCKET = env.text("GATEWAY_SOCKET", str(RUN / "gateway-{region}.sock"))
GATE_SOCKET = str(RUN / "gate.sock")  # where the edge asks about storage; see portal/gate_settings.py
COPIES_AT_ONCE = env.number("COPIES_AT_ONCE", 2)  # vaults copied to their pairs; keep it below the worker's threads
SCRUB_BYTES_A_SECOND = env.number("SCRUB_BYTES_A_SECOND", 20_000_000)  # on average, in each region
SCRUB_DAYS = env.number("SCRUB_DAYS", 7)  # from the beginning of one comparison of all objects to that of the next
OPEN_REQUESTS = env.number("OPEN_REQUESTS", 20)  # of one person, of each kind, that wait for a decision
PKI = DATA / "pki"
AGENT_PACKAGES = DATA / "agents"
AGENT_UPDATE_KEYS = env.text("AGENT_UPDATE_KEYS", "")  # file with the public keys of docs/updating.md; "" for none
RENEWABLE_DAYS = env.number("RENEWABLE_DAYS", 90)  # how long after its end a machine's certificate can be renewed

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"brief": {"()": "portal.config.logs.Brief"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["brief"]}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}},  # else a line for each request to storage
}

# User names are unique whatever their case, by a constraint on lower(username), which this check does not know of.
SILENCED_SYSTEM_CHECKS = ["auth.E003"]
