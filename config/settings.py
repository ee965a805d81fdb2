"""Every setting, read from the environment; `.env.template` lists the variables."""

import re
from datetime import timedelta
from pathlib import Path

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from config import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(BASE_DIR / ".env")  # Compose and `make run` share it.
VERSION = re.findall(r"^## \[([\d.]+)\]", (BASE_DIR / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[0]

# Security
DEBUG = env.boolean("DEBUG", False)
_PUBLIC_KEYS = ("", "change-me", "development-only-key-that-no-production-start-accepts")
SECRET_KEY = env.text("SECRET_KEY")
if SECRET_KEY.strip() in _PUBLIC_KEYS:
    if not DEBUG:
        raise ImproperlyConfigured("Set SECRET_KEY in the environment to a long random string.")
    SECRET_KEY = _PUBLIC_KEYS[-1]
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ["*"] if DEBUG else [])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("Set ALLOWED_HOSTS to the host names that clients use, separated by commas.")
CORS_ALLOWED_ORIGINS = env.items(
    "CORS_ALLOWED_ORIGINS", ["http://localhost:3000", "http://127.0.0.1:3000"] if DEBUG else []
)
if not DEBUG and "*" in CORS_ALLOWED_ORIGINS:
    raise ImproperlyConfigured("CORS_ALLOWED_ORIGINS must name the allowed origins: a wildcard allows everyone.")
CORS_URLS_REGEX = r"^/api/(?!admin/)"
CORS_ALLOW_HEADERS = (*default_headers, "idempotency-key", "if-match", "if-none-match", "x-request-id")
CORS_EXPOSE_HEADERS = ("ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID")
SECURE_CSP = dict.fromkeys(("default-src", "base-uri", "frame-ancestors"), "'none'") | dict.fromkeys(
    ("script-src", "style-src", "img-src", "connect-src", "form-action"), "'self'"
)

# HTTPS: off by default, since a proxy may terminate TLS
USE_HTTPS = env.boolean("USE_HTTPS", False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_HTTPS
CSRF_COOKIE_HTTPONLY = True  # forms have the token
CSRF_FAILURE_VIEW = "desk.site.csrf_failure"
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = USE_HTTPS
SECURE_HSTS_SECONDS = 31536000 if USE_HTTPS else 0
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS", [])
# Number of our own proxies before the service: only they are trusted to set X-Forwarded-*.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, least=0, most=20)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# The path under which a proxy serves the service, if not at the root of its host. No request header decides it.
FORCE_SCRIPT_NAME = env.path_prefix("FORCE_SCRIPT_NAME")
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{FORCE_SCRIPT_NAME}/"

# Applications
INSTALLED_APPS = [
    "core",
    "desk.apps.DeskConfig",  # before the admin, some of whose templates it replaces
    "desk.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "djoser",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "identity",
    "incidents",
    "intake",
    "telegram",
    "webhooks",
]
# In the desk's navigation, by how often operators use them. Others follow.
DESK_NAVIGATION = ("incidents", "telegram", "intake", "webhooks", "identity")
MIDDLEWARE = [
    "core.metrics.MetricsMiddleware",
    "core.api.middleware.RequestMiddleware",
    # Before every middleware that may refuse a request, so that errors are in the client's language
    "core.api.middleware.LanguageMiddleware",
    "core.api.middleware.CorsMiddleware",
    "core.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.api.middleware.BodyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "core.api.middleware.AdminMiddleware",
]
ADMIN_MIDDLEWARE = [
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "core.api.middleware.AdminSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "identity.middleware.AdminSettingsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
# They look in MIDDLEWARE for those of ADMIN_MIDDLEWARE: CSRF, authentication, messages, sessions.
SILENCED_SYSTEM_CHECKS = ["security.W003", "admin.E408", "admin.E409", "admin.E410"]
if DEBUG:
    MIDDLEWARE.insert(0, "querycount.middleware.QueryCountMiddleware")
    QUERYCOUNT = {"DISPLAY_DUPLICATES": 5, "IGNORE_REQUEST_PATTERNS": [r"^/static/", r"^/api/admin/jsi18n/"]}
    # No page needs more than 20. Printing fewer too would roll the generated password off the screen.
    QUERYCOUNT["THRESHOLDS"] = {"MEDIUM": 25, "HIGH": 50, "MIN_TIME_TO_LOG": 0, "MIN_QUERY_COUNT_TO_LOG": 21}
    QUERYCOUNT["IGNORE_SQL_PATTERNS"] = [r"\sWHERE\s.*\\"]  # It fails at a backslash there.
ROOT_URLCONF = "config.urls"
# A redirect would lose the body of a POST: routes accept both forms of their path instead.
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
WSGI_APPLICATION = "config.wsgi.application"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_HANDLERS: list[str] = []  # No form has a file: uploads are discarded and never reach the disk.

# Database: DATABASE_URL, else POSTGRES_*, else SQLite. Not persistent under runserver, which starts a thread for each
# connection.
_kept = {"CONN_MAX_AGE": 0 if DEBUG else None}
DATABASES = {"default": env.database(BASE_DIR / "db.sqlite3") | _kept}
if _replica := env.replica(DATABASES["default"]):
    # Not kept for good, so that one of several that comes back gets its share.
    DATABASES["replica"] = _replica | {"CONN_MAX_AGE": 0 if DEBUG else 300}
    DATABASE_ROUTERS = ["core.db.replica.Router"]
REPLICA_WAIT_SECONDS = env.integer("DATABASE_REPLICA_WAIT_MS", 100, least=0, most=5_000) / 1000

# Identity
AUTH_USER_MODEL = "identity.User"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["identity.backends.ThrottledBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
] + [{"NAME": "identity.passwords.MaximumLengthValidator"}]
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.integer("ACCESS_TOKEN_LIFETIME_MINUTES", 60, least=1, most=10**6)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.integer("REFRESH_TOKEN_LIFETIME_DAYS", 180, least=1, most=36_500)),
    "LEEWAY": 5,  # seconds that the clocks of two hosts may differ
    "TOKEN_OBTAIN_SERIALIZER": "identity.serializers.TokenObtainSerializer",
    "TOKEN_REFRESH_SERIALIZER": "identity.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "identity.serializers.TokenVerifySerializer",
}
DJOSER = {
    "TOKEN_MODEL": None,
    "SERIALIZERS": {
        "user": "identity.serializers.UserSerializer",
        "current_user": "identity.serializers.UserSerializer",
        "user_create": "identity.serializers.UserCreateSerializer",
        "set_password": "identity.serializers.SetPasswordSerializer",
        "user_delete": "identity.serializers.CurrentPasswordSerializer",
    },
    "PERMISSIONS": {
        "user": ["identity.permissions.SelfOrModelPermissions"],
        **{key: ["identity.permissions.ModelPermissions"] for key in ("user_list", "user_create", "user_delete")},
        "set_password": ["rest_framework.permissions.IsAuthenticated"],
    },
}

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["identity.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.json.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.json.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "core.api.openapi.AutoSchema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core.api.json.JSONNegotiation",
    "ALLOWED_VERSIONS": ["v1"],  # of the OpenAPI document: another one in its query is ignored
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.PageNumbers",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "core.api.exception_handler.ErrorHandler",
    "EXCEPTION_FORMATTER_CLASS": "core.api.exception_handler.ErrorFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Incidents",
    "DESCRIPTION": "Records incidents: no report is lost, recorded twice or overwritten.",
    "VERSION": VERSION,
    "LICENSE": {"name": "MIT License", "identifier": "MIT"},
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "core.api.openapi.arrange"],
    # Separate schemas for requests and responses: generated clients must not require read-only fields in requests.
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/(v1|identity/auth)",
}

# Internationalization
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
TIME_ZONE_DISPLAY = env.time_zone("TIME_ZONE_DISPLAY", "Europe/Moscow")

# Static files: served by whitenoise, from the packages without collectstatic or, in the image, from STATIC_ROOT:
# compressed, with a hash in their names, so that browsers cache them for good.
STATIC_URL = f"{FORCE_SCRIPT_NAME}/static/"
STATIC_ROOT = env.text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ROOT = BASE_DIR / "core" / "root"

# Attachments of incidents: in the folder MEDIA_ROOT, from which nginx may send them, or in a bucket of S3
MEDIA_ROOT = BASE_DIR / env.text("MEDIA_ROOT", "media")
ATTACHMENT_MAX_BYTES = env.integer("ATTACHMENT_MAX_BYTES", 20_971_520, least=1, most=500_000_000)
ATTACHMENT_MAX_NUMBER = env.integer("ATTACHMENT_MAX_NUMBER", 100, least=1, most=10_000)
STORAGES = env.storages(MEDIA_ROOT, manifest=STATIC_ROOT is not None)
ATTACHMENT_X_ACCEL = "" if env.text("ATTACHMENT_S3_BUCKET") else env.text("ATTACHMENT_X_ACCEL")

# Metrics, intake, webhooks
METRICS_NETWORKS = env.networks("METRICS_NETWORKS")
DELIVERY_RETENTION_DAYS = env.integer("DELIVERY_RETENTION_DAYS", 90, least=1, most=36_500)
WEBHOOK_ALLOW_PRIVATE = env.boolean("WEBHOOK_ALLOW_PRIVATE", False)

# Telegram: critical errors, chats that report, the chat of incidents from elsewhere, reminders of those still open
TELEGRAM_BOT_TOKEN = env.text("TELEGRAM_BOT_TOKEN")
TELEGRAM_LOGGING_CHAT = env.text("TELEGRAM_LOGGING_CHAT")
TELEGRAM_API_URL = env.text("TELEGRAM_API_URL", "https://api.telegram.org")
TELEGRAM_INTAKE_CHATS = env.items("TELEGRAM_INTAKE_CHATS", [])
TELEGRAM_NOTIFY_CHAT = env.text("TELEGRAM_NOTIFY_CHAT")
TELEGRAM_REMIND_AFTER_MINUTES = env.integer("TELEGRAM_REMIND_AFTER_MINUTES", 0, least=0, most=1_000_000)
TELEGRAM_WEBHOOK_URL = env.text("TELEGRAM_WEBHOOK_URL")
TELEGRAM_WEBHOOK_SECRET = env.text("TELEGRAM_WEBHOOK_SECRET")

# What follows this word in a path may be a secret, masked in log lines and alerts, except for these names.
SECRET_PATHS = ("intake", ["telegram"])

# Logging: JSON lines to LOG_FILE; "-" is the console: text with DEBUG, otherwise JSON on standard output.
LOG_FILE = env.text("LOG_FILE") or ("-" if DEBUG else "logs/incidents.log")
if LOG_FILE != "-":
    _handler = "core.log.handlers.JSONLinesHandler"
    _lines = {"class": _handler, "formatter": "JSONFormatter", "filename": str(BASE_DIR / LOG_FILE)}
else:
    _formatter, _stream = ("ConsoleFormatter", "stderr") if DEBUG else ("JSONFormatter", "stdout")
    _lines = {"class": "logging.StreamHandler", "formatter": _formatter, "stream": f"ext://sys.{_stream}"}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {name: {"()": f"core.log.formatters.{name}"} for name in ("ConsoleFormatter", "JSONFormatter")},
    "handlers": {"lines": _lines, "telegram": {"class": "telegram.bot_api.alerts.TelegramHandler"}},
    "root": {"handlers": ["lines", "telegram"], "level": "INFO"},
    "loggers": {
        # Client errors are in the access log already.
        "django": {},
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "CRITICAL"},
        # No alerts about errors that any client can cause, nor about sending alerts.
        **{
            name: {"handlers": ["lines"], "propagate": False}
            for name in ("request", "django.security", "telegram.bot_api.client", "telegram.bot_api.alerts", "urllib3")
        },
    },
}
