-- Webhooks: merchants' endpoints, and what is delivered to them. `web` writes endpoints and asks for deliveries; `dispatcher`
-- routes events to endpoints, sends, and writes down what came of it.
CREATE TABLE webhook_endpoints (
  id              text PRIMARY KEY,                       -- whe_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,
  livemode        boolean NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('url', 'listener')), -- a listener is fetched from, not sent to
  url             text CHECK (length(url) <= 2048),
  description     text CHECK (length(description) <= 500),
  event_types     text[] NOT NULL CHECK (cardinality(event_types) BETWEEN 1 AND 100), -- payment.succeeded, payment.*, *
  api_version     text NOT NULL,
  status          text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
  disabled_reason text CHECK (disabled_reason IN ('merchant', 'gone', 'failing')),
  disabled_at     timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  expires_at      timestamptz,                            -- of a listener
  deleted_at      timestamptz,
  CHECK ((kind = 'url') = (url IS NOT NULL)),
  CHECK ((kind = 'listener') = (expires_at IS NOT NULL)),
  CHECK ((status = 'disabled') = (disabled_at IS NOT NULL) AND (disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, livemode, created_at DESC, id DESC);

-- Several are valid during a rotation. Sealed under a key of the region; shown once, when made.
CREATE TABLE webhook_secrets (
  endpoint_id text NOT NULL REFERENCES webhook_endpoints,
  number      integer NOT NULL CHECK (number >= 1),
  merchant_id text NOT NULL REFERENCES merchants,
  sealed      bytea NOT NULL,                             -- ciphertext of {"v1": "whsec_…", "v1a": "whsk_…"}
  public_key  text NOT NULL,                              -- whpk_…, of the v1a signatures
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz,                                -- NULL: the one in use
  PRIMARY KEY (endpoint_id, number)
);

-- How an endpoint does. Its row is the lock under which deliveries of the endpoint are claimed and finished.
CREATE TABLE webhook_health (
  endpoint_id     text PRIMARY KEY REFERENCES webhook_endpoints,
  merchant_id     text NOT NULL REFERENCES merchants,
  failures        integer NOT NULL DEFAULT 0 CHECK (failures >= 0), -- in a row, whatever the delivery
  failing_since   timestamptz,
  open_until      timestamptz,                            -- the circuit is open: nothing is sent until then
  last_success_at timestamptz,
  served_at       timestamptz NOT NULL DEFAULT '-infinity' -- whoever was served longest ago is next
) WITH (fillfactor = 50);

-- An event as merchants may see it: no ciphertext and no token. Kept once, however many endpoints want it.
CREATE TABLE webhook_events (
  id             uuid PRIMARY KEY,
  merchant_id    text NOT NULL REFERENCES merchants,
  livemode       boolean NOT NULL,
  type           text NOT NULL,
  object_id      text NOT NULL,
  sequence       bigint NOT NULL CHECK (sequence >= 1),
  schema_version smallint NOT NULL,
  time           timestamptz NOT NULL,
  data           text NOT NULL,                           -- JSON, as it is sent
  recorded_at    timestamptz NOT NULL
);

CREATE TABLE webhook_deliveries (
  id            text PRIMARY KEY,                         -- whd_eu_…
  event_id      uuid NOT NULL,
  endpoint_id   text NOT NULL REFERENCES webhook_endpoints,
  merchant_id   text NOT NULL,
  livemode      boolean NOT NULL,
  type          text NOT NULL,
  object_id     text NOT NULL,
  sequence      bigint NOT NULL,
  api_version   text NOT NULL,                            -- the endpoint's when the event came: every try sends the same bytes
  status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed', 'cancelled', 'skipped')),
  created_at    timestamptz NOT NULL,
  due_at        timestamptz NOT NULL,                     -- while a dispatcher has it: when its claim ends
  claim         uuid,                                     -- of the dispatcher that has it
  tries         integer NOT NULL DEFAULT 0,               -- since it was made or asked for again
  attempt_count integer NOT NULL DEFAULT 0,               -- ever
  started_at    timestamptz,                              -- the first of these tries
  last_status   smallint,
  last_error    text,
  finished_at   timestamptz,
  UNIQUE (event_id, endpoint_id),
  CHECK ((status = 'pending') = (finished_at IS NULL)),
  CHECK (claim IS NULL OR status = 'pending')
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_claimed ON webhook_deliveries (endpoint_id) WHERE claim IS NOT NULL;
CREATE INDEX webhook_deliveries_lane ON webhook_deliveries (endpoint_id, object_id, sequence) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_by_merchant ON webhook_deliveries (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, created_at DESC, id DESC);

CREATE TABLE webhook_attempts (
  delivery_id text NOT NULL,
  number      integer NOT NULL CHECK (number >= 1),
  endpoint_id text NOT NULL,
  merchant_id text NOT NULL,
  livemode    boolean NOT NULL,
  at          timestamptz NOT NULL,
  latency_ms  integer NOT NULL CHECK (latency_ms >= 0),
  outcome     text NOT NULL,                              -- succeeded, http_error, redirect, gone, timeout, refused, …
  status_code smallint,
  error       text,
  request     jsonb NOT NULL,                             -- address and headers; signatures masked
  response    jsonb,                                      -- headers and the beginning of the body; secrets and PII masked
  PRIMARY KEY (delivery_id, number)
);
CREATE INDEX webhook_attempts_by_time ON webhook_attempts (at);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['webhook_endpoints', 'webhook_secrets', 'webhook_health', 'webhook_events', 'webhook_deliveries',
                           'webhook_attempts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY dispatcher ON %I TO dispatcher USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I TO retention USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY console ON %I FOR SELECT TO console USING (merchant_id = current_merchant() OR sees_region())', t);
  END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_deliveries TO web;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_secrets TO web;
GRANT SELECT, INSERT, UPDATE ON webhook_health TO web;
GRANT SELECT, INSERT ON webhook_events TO web;
GRANT SELECT ON webhook_attempts TO web;

GRANT SELECT ON webhook_endpoints, webhook_secrets, webhook_health TO dispatcher;
GRANT UPDATE (status, disabled_reason, disabled_at, updated_at) ON webhook_endpoints TO dispatcher;
GRANT UPDATE (failures, failing_since, open_until, last_success_at, served_at) ON webhook_health TO dispatcher;
GRANT SELECT, INSERT ON webhook_events, webhook_attempts TO dispatcher;
GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO dispatcher;
GRANT SELECT ON relay_cursor TO dispatcher;

-- Everybody else never sees a secret, sealed or not.
GRANT SELECT (endpoint_id, number, merchant_id, public_key, created_at, expires_at) ON webhook_secrets TO retention, reader, console;
GRANT SELECT ON webhook_endpoints, webhook_health, webhook_events, webhook_deliveries, webhook_attempts TO retention, reader, console;
GRANT DELETE, MAINTAIN ON webhook_events, webhook_deliveries, webhook_attempts TO retention;

ALTER TABLE stream_consumers ADD COLUMN offsets jsonb NOT NULL DEFAULT '{}'; -- where in Kafka to look first; positions are the truth
-- From now on outbox rows stay until webhooks have passed them too.
INSERT INTO stream_consumers (name) VALUES ('webhooks') ON CONFLICT DO NOTHING;
