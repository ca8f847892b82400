# One image for web, runners, keeper and migrations: they differ in their command only.

FROM node:22-bookworm-slim AS frontend
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim-bookworm AS packages
WORKDIR /app
COPY pyproject.toml requirements.lock ./
RUN python -m venv .venv \
    && sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.txt \
    && .venv/bin/pip install --no-cache-dir --require-hashes -r uv.txt \
    && .venv/bin/uv pip install --no-cache --python .venv/bin/python --compile-bytecode \
       -r pyproject.toml -c requirements.lock

FROM python:3.12-slim-bookworm
# bubblewrap: the sandbox around each Locust process.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home hatchery \
    && install -d -m 0700 -o hatchery -g hatchery /data
WORKDIR /app
COPY --from=packages /app/.venv .venv
COPY --from=frontend /app/node_modules node_modules
COPY . .
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HATCHERY_STATE=/data
# As root, so that the portal can read its code and not change it. Without bytecode every start would compile anew.
RUN python -m compileall -q -x '/(site-packages|tests?|lib2to3)/' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" apps portal workers
USER hatchery
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=8)"]
CMD ["uvicorn", "portal.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"]
