# The service's image: the locked run-time dependencies, app and migrations. No stand-ins, no local Postgres, no tools.
#   docker build -t centra-mirakl .
# A release names the base by digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
# `python -m tests.image` builds it with buildah, and runs it as a pod would.
# checkov:skip=CKV_DOCKER_2:The kubelet's probes ask /healthz and /readyz; Kubernetes reads no HEALTHCHECK
# checkov:skip=CKV_DOCKER_7:The tag, and for a release the digest, is in the argument
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
# hadolint ignore=DL3042
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check -q uv==0.13.9
WORKDIR /srv/centra-mirakl
COPY pyproject.toml uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project
COPY app ./app
COPY migrations ./migrations
# Of the dependencies only what the service imports is compiled: the rest of their bytecode would be 15 MB.
RUN /opt/uv/bin/uv sync --frozen --no-dev \
    && .venv/bin/python -m compileall -q app && .venv/bin/centra-mirakl --help > /dev/null \
    && find .venv -type f \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' \) -delete && rm pyproject.toml uv.lock README.md

FROM ${BASE}
LABEL org.opencontainers.image.title="centra-mirakl" \
      org.opencontainers.image.description="Joins a Centra shop to Mirakl marketplaces"
# Bytecode is in the image already, and its file system is read-only.
ENV PATH=/srv/centra-mirakl/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /srv/centra-mirakl /srv/centra-mirakl
WORKDIR /srv/centra-mirakl
USER 10001:10001
# Webhooks; metrics and health.
EXPOSE 8080 9090
# No shell in between: SIGTERM reaches the service, which drains.
ENTRYPOINT ["centra-mirakl"]
CMD ["run"]
