# One build, three images. `web` runs everything that answers HTTP (the API, the payer's pages, the sandbox PSP),
# `worker` runs everything that does not (web's worker, relay, ingest, the jobs), `airflow` triggers those jobs.
#   docker build --target web -t meridian-web .
# Every wheel is pinned by hash (the locks are complete, so --no-deps), nothing is compiled, and no process runs as root.
ARG PYTHON=3.11-slim-bookworm

# hadolint ignore=DL3006
FROM python:${PYTHON} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    TZ=UTC
# The user's id is fixed, so that volumes keep their owner when an image is rebuilt.
RUN groupadd --gid 10001 meridian \
    && useradd --uid 10001 --gid meridian --create-home --home-dir /home/meridian --shell /usr/sbin/nologin meridian \
    && install --directory --owner meridian --group meridian /var/lib/meridian/airflow /var/lib/meridian/state \
        /var/lib/meridian/lake /var/lib/meridian/vault /var/lib/meridian/warehouse
WORKDIR /app

FROM base AS web-packages
COPY requirements/service.txt /tmp/requirements/
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r /tmp/requirements/service.txt

FROM base AS worker-packages
COPY requirements/service.txt requirements/pipelines.txt /tmp/requirements/
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r /tmp/requirements/service.txt -r /tmp/requirements/pipelines.txt \
    && printf '%s\n' '#!/opt/venv/bin/python' 'from pipelines.cli import main' 'main()' > /opt/venv/bin/meridian \
    && chmod 0755 /opt/venv/bin/meridian

FROM base AS airflow-packages
COPY requirements/airflow.txt /tmp/requirements/
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r /tmp/requirements/airflow.txt \
    && printf '%s\n' '#!/opt/venv/bin/python' 'from pipelines.cli import main' 'main()' > /opt/venv/bin/meridian \
    && chmod 0755 /opt/venv/bin/meridian

FROM base AS web
COPY --from=web-packages /opt/venv /opt/venv
COPY regions ./regions
COPY web ./web
RUN python -m compileall -q regions web
USER 10001:10001
EXPOSE 8000
# docker run --env MERIDIAN_REGION=eu …; the simulated PSP and web's worker are commands of compose.yaml.
CMD ["sh", "-c", "exec gunicorn --config web/gunicorn.conf.py --bind 0.0.0.0:8000 \"web.wsgi:for_region('${MERIDIAN_REGION:?is not set}')\""]

FROM base AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY regions ./regions
COPY web ./web
COPY warehouse ./warehouse
COPY pipelines ./pipelines
COPY dbt ./dbt
RUN python -m compileall -q regions web warehouse pipelines
USER 10001:10001
CMD ["meridian", "--help"]

FROM base AS airflow
COPY --from=airflow-packages /opt/venv /opt/venv
COPY regions ./regions
COPY warehouse ./warehouse
COPY pipelines ./pipelines
COPY dbt ./dbt
COPY dags ./dags
RUN python -m compileall -q regions warehouse pipelines
ENV AIRFLOW_HOME=/var/lib/meridian/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
USER 10001:10001
EXPOSE 8080
# Its three processes (api-server, scheduler, dag-processor) are commands of compose.yaml.
CMD ["airflow", "--help"]
