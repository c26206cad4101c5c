# The service's image: the locked run-time dependencies, app and migrations. No stand-ins, no local Postgres, no tools.
#   docker build -t centra-mirakl .
# A release names the base by digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
# hadolint ignore=DL3042
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check -q uv==0.13.9
WORKDIR /srv/centra-mirakl
COPY pyproject.toml uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-install-project
COPY app ./app
COPY migrations ./migrations
RUN /opt/uv/bin/uv sync --frozen --no-dev && rm -f README.md uv.lock

FROM ${BASE}
LABEL org.opencontainers.image.title="centra-mirakl" \
      org.opencontainers.image.description="Joins a Centra shop to Mirakl marketplaces"
# Bytecode is in the image already, and its file system is read-only.
ENV PATH=/srv/centra-mirakl/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /srv/centra-mirakl /srv/centra-mirakl
WORKDIR /srv/centra-mirakl
USER 10001:10001
EXPOSE 8080
# No shell in between: SIGTERM reaches the service, which drains.
ENTRYPOINT ["centra-mirakl"]
CMD ["run"]
