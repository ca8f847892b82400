"""All settings. Each is read from the environment through a typed helper and listed in `.env.example`."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from apps.core import environment, fingerprint

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(str(BASE_DIR / ".env"))

# --- where things are ---------------------------------------------------------------------------------------------

STATE_DIR = environment.own_folder("HATCHERY_STATE", BASE_DIR / "var")
"""Everything that outlives a process and is not in the database: SQLite file, artifacts, secret key, demo.json."""
ARTIFACTS_DIR = Path(environment.text("HATCHERY_ARTIFACTS", str(STATE_DIR / "artifacts")))
DATA_DIR = Path(environment.text("HATCHERY_DATA", str(STATE_DIR / "data")))
RUNS_DIR = Path(environment.text("HATCHERY_RUNS", str(STATE_DIR / "runs")))
"""Private folders of Locust processes, one a run, removed when the run ends."""
PUBLIC_URL = environment.origin("HATCHERY_URL", "http://localhost:8000")


def _secret_key() -> str:
    """The key from the environment, else one kept in the state folder, made at the first start."""
    if given := environment.text("SECRET_KEY", ""):
        return given
    path = STATE_DIR / "secret_key"
    if not path.exists():
        # Written aside and linked into place: two processes that start together end up with one whole key.
        fresh = path.with_name(f"secret_key.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = environment.switch("DEBUG", default=False)
_OWN_NAME = urlsplit(PUBLIC_URL).netloc.removesuffix(f":{urlsplit(PUBLIC_URL).port}")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", [*dict.fromkeys(["localhost", "127.0.0.1", "[::1]", _OWN_NAME])])
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS", [PUBLIC_URL])
BEHIND_TLS = environment.switch("HATCHERY_TLS", default=PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- parts --------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "apps.core",
    "apps.teams",
    "apps.scenarios",
    "apps.pools",
    "apps.runs",
    "apps.core.admin_site.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "channels",
    "django_htmx",
    "django_rq",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]
MIDDLEWARE = [
    "apps.core.streaming.StreamingMiddleware",  # first: also of what those below answer by themselves
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.middleware.PrivateMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.teams.middleware.ActorMiddleware",
    "apps.core.middleware.ErrorPagesMiddleware",
]
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.teams.context.navigation",
                "apps.runs.context.running",
            ],
            "builtins": ["apps.core.templatetags.hatchery"],
        },
    },
]

# --- database: the only truth -------------------------------------------------------------------------------------

DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{STATE_DIR / 'hatchery.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing in the middle of a transaction.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
    }
else:
    # postgres://user@%2Frun%2Fpostgresql/name: a socket's folder stands where a host would.
    DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
    # A network that swallows everything would hold whoever asks for a quarter of an hour: a runner has more to do.
    _PATIENCE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    DATABASES["default"]["OPTIONS"] = {
        **_PATIENCE,
        "tcp_user_timeout": 30_000,
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    # Holds little but the counts of failed log-ins, which all web processes must share: the database does it.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "core_cache",
        # More than enough: at its default of 300 entries, others' counts are thrown away to make room.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

# --- Redis: doorbell and ticks, never truth -----------------------------------------------------------------------

REDIS_URL = environment.redis("REDIS_URL", "redis://127.0.0.1:6379/0")
RQ_QUEUES = {
    "default": {
        "URL": REDIS_URL,
        "SERIALIZER": "rq.serializers.JSONSerializer",
        "DEFAULT_TIMEOUT": -1,
        # A page must not hang because a host is gone; a refused connection fails at once anyway.
        "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 2},
    },
}
# Its pages show a queue that nobody uses, and ask for less than a superuser.
RQ_SHOW_ADMIN_LINK = False
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL}], "prefix": "hatchery"},
    },
}

# --- what is kept -------------------------------------------------------------------------------------------------

KEEP_SECONDS_DAYS = environment.count("HATCHERY_KEEP_SECONDS_DAYS", 7)
"""Days after its end for which a run keeps its figures by the second; a team says how long it keeps coarser ones."""
DATA_FILE_MB = environment.count("HATCHERY_DATA_FILE_MB", 200)
"""Largest data file, in millions of bytes."""
DATA_SCENARIO_MB = environment.count("HATCHERY_DATA_SCENARIO_MB", 1000)
"""All data files of a scenario together, with the older versions that are kept."""
DATA_TEAM_MB = environment.count("HATCHERY_DATA_TEAM_MB", 5000)
"""All data files of a team together, with older versions, and with deleted ones that runs may still read."""
DATA_FILES = environment.count("HATCHERY_DATA_FILES", 50)
"""Data files of a scenario."""

# --- people -------------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "apps.teams.accounts.ClosedAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "20/m/ip,5/5m/key", "reset_password": "20/m/ip,5/m/key"}
"""`key` is the name or address that was typed, whether or not there is such an account."""
ALLAUTH_TRUSTED_PROXY_COUNT = environment.count("HATCHERY_PROXIES", 0)
"""Proxies in front that append to X-Forwarded-For; more than there are lets a client choose its own address."""
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
EMAIL_CONFIG = environment.mail("EMAIL_URL", "consolemail://")
vars().update(EMAIL_CONFIG)

# --- text and time ------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- static files: our own and npm's as they are ------------------------------------------------------------------

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": STATE_DIR / "files"}},
    "artifacts": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        # Only our own process reads what a script wrote; no address leads to it without a view in between.
        "OPTIONS": {"location": ARTIFACTS_DIR, "base_url": None, "file_permissions_mode": 0o600},
    },
    "data": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        # Test data may hold accounts of test users: nobody else on the machine reads it.
        "OPTIONS": {
            "location": DATA_DIR,
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# The address names the content: modules and styles find each other by plain relative names, those of two releases never
# mix, and a browser may keep them for good. Who edits them (DEBUG) is served anew each time.
_LOCKS = BASE_DIR / "package-lock.json", BASE_DIR / "requirements.lock"  # Django's admin has files of its own
_DIGITS = fingerprint.of_files(BASE_DIR / "static", *_LOCKS)
STATIC_URL = "/static/" if DEBUG else f"/static/{_DIGITS}/"
STATIC_ROOT = STATE_DIR / "static"
_NODE = BASE_DIR / "node_modules"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    *(
        (f"npm/{name}", _NODE / path)
        for name, path in {
            "tabler": "@tabler/core/dist",
            "htmx": "htmx.org/dist",
            "uplot": "uplot/dist",
            "ace": "ace-builds/src-min-noconflict",
            "ace-css": "ace-builds/css",
        }.items()
        if (_NODE / path).is_dir()
    ),
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0
WHITENOISE_IMMUTABLE_FILE_TEST = "^$" if DEBUG else f"^{STATIC_URL}"

# --- what a browser may load: our own files, nothing inline --------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# --- REST ---------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.teams.authentication.TokenAuthentication",
        "apps.teams.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsers.JsonParser"],
    "DEFAULT_PAGINATION_CLASS": "apps.core.api.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "apps.core.schema.Schema",
    "EXCEPTION_HANDLER": "apps.core.api.exception_handler",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hatchery",
    "DESCRIPTION": (BASE_DIR / "apps/core/api.md").read_text(encoding="utf-8"),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.schema.add_errors",
        "apps.core.schema.explain",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "DataKindEnum": "apps.scenarios.models.DataKind",
        "RunState": "apps.runs.states.State",
        "WorkerState": "apps.runs.states.WorkerState",
        "HostState": "apps.pools.serializers.STATES",
        "HostStanding": "apps.pools.models.Standing",
        "KeyState": "apps.pools.serializers.KEY_STATES",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": environment.level("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        "rq.worker": {"level": "WARNING"},
    },
}
