"""Where the two Redis are, and that nobody reads along."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from gamemetrics.environment import Environment, SettingInvalid


def redis_cache_url(env: Environment) -> str:
    """The cache's Redis; never the broker's database."""
    url = env.optional("REDIS_URL")
    host = env.text("REDIS_HOST", "127.0.0.1")
    port = env.integer("REDIS_PORT", 6379, at_least=1, at_most=65535)
    password = quote(env.text("REDIS_PASSWORD", ""), safe="")
    login = f":{password}@" if password else ""
    return _checked("REDIS_URL", url or f"redis://{login}{host}:{port}/1")


def celery_broker_url(env: Environment) -> str:
    """The broker's Redis; database 0 of the cache's server unless it has its own."""
    url = env.optional("CELERY_BROKER_URL")
    if url is None:
        parts = urlsplit(redis_cache_url(env))
        url = parts._replace(path="/0").geturl()
    broker = _checked("CELERY_BROKER_URL", url)
    if _place(broker) == _place(redis_cache_url(env)):
        raise SettingInvalid(
            "CELERY_BROKER_URL", "must not be REDIS_URL's database: emptying the cache loses tasks"
        )
    return broker


def _checked(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise SettingInvalid(name, "must be redis://, rediss:// or unix://")
    if parts.scheme != "rediss":
        return url
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    # Celery's own default is to take any certificate.
    if query.setdefault("ssl_cert_reqs", "required") != "required":
        raise SettingInvalid(name, "ssl_cert_reqs must be required: rediss:// without it is no TLS")
    if query.get("ssl_check_hostname", "true").lower() != "true":
        raise SettingInvalid(name, "ssl_check_hostname must be true")
    return parts._replace(query=urlencode(query, safe="/")).geturl()


def _place(url: str) -> tuple[str, str, str]:
    """Server and database, whoever asks."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2], parts.path, dict(parse_qsl(parts.query)).get("db", "")
