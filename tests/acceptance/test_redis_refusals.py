"""Redis that asks who we are: a wrong password, and TLS with a certificate that does not hold."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from gamemetrics.stack.ports import HOST
from tests.deployments import Deployment, Running, deployment
from tests.redis_servers import run_redis, with_tls

PASSWORD = secrets.token_hex(12)
WRONG = "a-wrong-password"


@pytest.fixture(scope="module")
def redis_port() -> Iterator[int]:
    """One server with a password; database 0 is the broker's, 1 the cache's."""
    with run_redis(password=PASSWORD) as port:
        yield port


@pytest.fixture
def deployed(secured_database: str) -> Iterator[Deployment]:
    with deployment({"DATABASE_URL": secured_database}) as ready:
        yield ready


def urls(port: int, password: str, scheme: str = "redis", query: str = "") -> dict[str, str]:
    server = f"{scheme}://:{password}@{HOST}:{port}"
    return {"CELERY_BROKER_URL": f"{server}/0{query}", "REDIS_URL": f"{server}/1{query}"}


def checks(web: Running) -> dict[str, str]:
    answer = web.get("/health/ready")
    return dict(answer.json()["checks"]) if answer else {}


def test_a_password_beside_host_and_port_lets_in(deployed: Deployment, redis_port: int) -> None:
    settings = {"REDIS_HOST": HOST, "REDIS_PORT": str(redis_port)}
    files = deployed.by_file("redis", {"REDIS_PASSWORD": PASSWORD})
    web = deployed.start("web", **settings, **files)
    worker = deployed.start("worker-stats", **settings, **files)
    web.answers()
    found = checks(web)
    assert (found["redis"], found["broker"]) == ("ok", "ok")
    worker.tells("ready.")
    assert PASSWORD not in web.told + worker.told


def test_a_wrong_password_is_named_by_readiness_and_survived_by_all(
    deployed: Deployment, redis_port: int
) -> None:
    started = [deployed.start(name, **urls(redis_port, WRONG)) for name in ("web", "worker-stats")]
    web, worker = started
    web.answers()
    found = checks(web)
    for name, setting in (("redis", "REDIS_URL"), ("broker", "CELERY_BROKER_URL")):
        assert setting in found[name]
        assert "invalid username-password pair" in found[name]
    worker.tells("invalid username-password pair")
    for process in started:
        assert process.is_up()
        assert WRONG not in process.told
    assert WRONG not in str(found)


def test_tls_with_a_certificate_that_holds_lets_in_and_another_does_not(
    deployed: Deployment, redis_port: int, tmp_path: Path
) -> None:
    ours, others = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert(HOST).configure_cert(context)
    with ExitStack() as ends:
        port = ends.enter_context(with_tls(redis_port, context))
        found = {}
        for name, authority in (("ours", ours), ("others", others)):
            file = tmp_path / f"{name}.pem"
            authority.cert_pem.write_to_path(str(file))
            query = f"?ssl_ca_certs={quote(str(file))}"
            settings = urls(port, PASSWORD, "rediss", query)
            web = deployed.start("web", **settings)
            worker = deployed.start("worker-logging", **settings)
            web.answers()
            found[name] = checks(web)
            worker.tells("ready." if name == "ours" else "CERTIFICATE_VERIFY_FAILED")
            assert worker.is_up()
    assert (found["ours"]["redis"], found["ours"]["broker"]) == ("ok", "ok")
    for name in ("redis", "broker"):
        assert "CERTIFICATE_VERIFY_FAILED" in found["others"][name]
