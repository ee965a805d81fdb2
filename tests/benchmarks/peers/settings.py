"""Settings of the three Django peers; the environment variable PEER names the module of one."""

from os import environ

PEER = environ["PEER"]
PACKAGE = "tests.benchmarks.peers"

SECRET_KEY = environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
LOGGING_CONFIG = None
USE_TZ, TIME_ZONE = True, "UTC"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", PACKAGE]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = f"{PACKAGE}.{PEER}"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
        "HOST": environ["POSTGRES_HOST"],
        "PORT": environ["POSTGRES_PORT"],
        "NAME": environ["POSTGRES_DB"],
        "USER": environ["POSTGRES_USER"],
        "PASSWORD": environ["POSTGRES_PASSWORD"],
    }
}
if PEER == "drf_api":  # the middleware of startproject
    INSTALLED_APPS += ["django.contrib.sessions", "django.contrib.messages", "rest_framework"]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 100,
    }
elif PEER == "bolt_api":  # handlers run in many threads: a pool, not a kept connection for each
    INSTALLED_APPS += ["django_bolt"]
    BOLT_API = [f"{PACKAGE}.bolt_api:api"]
    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 4, "max_size": 20}}}
