"""Django's settings, read from the environment; a bad one stops the process with its name."""

from __future__ import annotations

from pathlib import Path

from apps.failpoints import points
from gamemetrics.environment import (
    DatabaseSettings,
    Environment,
    KafkaSettings,
    SettingInvalid,
    chunk_signing_key,
    failpoints_file,
    is_production,
    log_level,
)
from gamemetrics.log_config import logging_config
from gamemetrics.redis_urls import celery_broker_url, redis_cache_url

BASE_DIR = Path(__file__).resolve().parent.parent
_env = Environment.of_process()
PRODUCTION = is_production(_env)
points.arm(failpoints_file(_env))


def _secret(name: str, why: str) -> str:
    """Required in production; empty or a local default elsewhere."""
    return _env.required(name, why) if PRODUCTION else _env.text(name, "")


DEBUG = False
SECRET_KEY = _secret("DJANGO_SECRET_KEY", "sessions are signed with it") or "local-only"
ALLOWED_HOSTS = [
    host.strip()
    for host in (
        _env.required("ALLOWED_HOSTS", "the host names that clients use, by comma")
        if PRODUCTION
        else _env.text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver")
    ).split(",")
]
API_KEYS_REQUIRED = PRODUCTION
MANAGEMENT_KEY = _secret("MANAGEMENT_KEY", "configuration is changed with it")
INGEST_KEY = _secret("INGEST_KEY", "clients send events with it")
READ_KEY = _secret("READ_KEY", "clients read boards and statistics with it")
RATE_LIMIT_RPS = _env.integer("RATE_LIMIT_RPS", 10_000, at_least=1, at_most=1_000_000)
if PRODUCTION and len(SECRET_KEY) < 32:
    raise SettingInvalid("DJANGO_SECRET_KEY", "must have at least 32 characters")

_kafka = KafkaSettings.read(_env)
KAFKA_CLIENT = _kafka.client
KAFKA_TOPIC = _kafka.topic
REDIS_URL = redis_cache_url(_env)
CELERY_BROKER_URL = celery_broker_url(_env)
CHUNK_SIGNING_KEY = chunk_signing_key(_env)

_database = DatabaseSettings.read(_env)
DATABASES = {
    "default": {
        "ENGINE": "apps.database.postgresql",
        "HOST": _database.host,
        "PORT": _database.port,
        "NAME": _database.name,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database.tls,
            "connect_timeout": 5,
            # A paused worker must not hold its row locks for ever, nor a dead peer our socket. And
            # nothing is compiled: that takes longer than our statements (docs/decisions/0053).
            "options": "-c statement_timeout=30000 -c lock_timeout=5000"
            " -c idle_in_transaction_session_timeout=30000 -c jit=off",
            "keepalives_idle": 10,
            "tcp_user_timeout": 20_000,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # for its own copy of the OpenAPI page's assets
    "apps.ledger",
    "apps.events",
    "apps.stats",
    "apps.leaderboards",
    "apps.deadletters",
    "apps.ingest",
    "apps.monitoring",
    "apps.operations",
    "apps.demo",
    "apps.reconcile",
    "apps.live",
]
MIDDLEWARE = [
    "apps.monitoring.middleware.RequestDuration",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.web.pages.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "apps.web.pages.PageCsrf",
    "apps.web.pages.PageUsers",
    "apps.web.pages.PageMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.web.methods.MethodRefusals",
    "apps.web.outages.DatabaseOutages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "gamemetrics.urls"
WSGI_APPLICATION = "gamemetrics.wsgi.application"
APPEND_SLASH = False
# The API refuses by its own, smaller limit and with a receipt; this one guards the admin.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

STATIC_URL = "/static/"
# Assets come from the installed packages; there is nothing to collect before a start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
# TLS ends before us; the proxy must set the header and strip what clients send of it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]  # probes come past the proxy

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(log_level(_env))
