"""What the API is measured against: a bare Flask endpoint that inserts one row in one transaction."""

import functools
import os
import threading
import uuid

import psycopg_pool
from flask import Flask, Response, jsonify, request

app = Flask(__name__)


opening = threading.Lock()


@functools.cache
def pool_of(process: int) -> psycopg_pool.ConnectionPool:
    return psycopg_pool.ConnectionPool(os.environ["BARE_DATABASE_URL"], min_size=4, max_size=4, open=True)


def pool() -> psycopg_pool.ConnectionPool:
    """Made by a process's first request: a pool's threads do not survive a fork."""
    with opening:
        return pool_of(os.getpid())


@app.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@app.post("/v1/links")
def create() -> tuple[Response, int]:
    body = request.get_json()
    link_id = str(uuid.uuid4())
    with pool().connection() as connection:
        connection.execute(
            "INSERT INTO bare_links (id, amount_minor, currency, reference) VALUES (%s, %s, %s, %s)",
            (link_id, body["amount_minor"], body["currency"], body["reference"]),
        )
    return jsonify(id=link_id, **body), 201


@app.get("/v1/links/<link_id>")
def retrieve(link_id: str) -> tuple[Response, int]:
    with pool().connection() as connection:
        row = connection.execute(
            "SELECT id, amount_minor, currency, reference FROM bare_links WHERE id = %s", (link_id,)
        ).fetchone()
    return (jsonify(row), 200) if row else (jsonify(None), 404)


@app.get("/v1/links")
def some() -> Response:
    with pool().connection() as connection:
        rows = connection.execute(
            "SELECT id, amount_minor, currency, reference FROM bare_links ORDER BY id DESC LIMIT 20"
        ).fetchall()
    return jsonify(rows)


@app.get("/l/<link_id>")
def page(link_id: str) -> str:
    with pool().connection() as connection:
        row = connection.execute(
            "SELECT id, amount_minor, currency, reference FROM bare_links WHERE id = %s", (link_id,)
        ).fetchone()
    return f"<!doctype html><title>{row}</title><p>{row}"
