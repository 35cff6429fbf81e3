-- Which gateway an attempt goes to: what is known of the gateways, shared by all processes of the region, and why it was chosen.

-- One gateway's circuit breaker (web/routing/circuit.py). No row: closed.
CREATE TABLE gateway_circuits (
  gateway     text PRIMARY KEY,
  state       text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  open_until  timestamptz,
  probe_until timestamptz,                              -- one call finds out until then
  open_count  integer NOT NULL DEFAULT 0,               -- how often it opened in a row
  went_well   integer NOT NULL DEFAULT 0,               -- good probes since it is half open
  changed_at  timestamptz
);

-- Calls to gateways, counted in steps of ten seconds. `attempts` and `successes` are of those that were decided at once.
CREATE TABLE gateway_calls (
  gateway   text NOT NULL,
  method    text NOT NULL,                              -- a payment method, or what was asked: capture, refund, resolve, …
  at        timestamptz NOT NULL,
  calls     integer NOT NULL DEFAULT 0,
  failures  integer NOT NULL DEFAULT 0,
  attempts  integer NOT NULL DEFAULT 0,
  successes integer NOT NULL DEFAULT 0,
  PRIMARY KEY (gateway, method, at)
);
CREATE INDEX gateway_calls_at ON gateway_calls (at);

-- A merchant's own order of gateways, per method.
CREATE TABLE routing_preferences (
  merchant_id text NOT NULL REFERENCES merchants,
  livemode    boolean NOT NULL,
  method      text NOT NULL,
  gateways    text[] NOT NULL CHECK (cardinality(gateways) BETWEEN 1 AND 16),
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, livemode, method)
);
ALTER TABLE routing_preferences ENABLE ROW LEVEL SECURITY;
ALTER TABLE routing_preferences FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON routing_preferences TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY worker ON routing_preferences FOR SELECT TO worker USING (true);
CREATE POLICY reader ON routing_preferences FOR SELECT TO reader USING (true);

ALTER TABLE attempts
  ADD COLUMN routing jsonb,                             -- the decision: every account of the region with its reasons
  ADD COLUMN sealed_order bytea;                        -- the identical request, for gateways without a look-up; ciphertext
-- No second attempt while one may still move money.
CREATE UNIQUE INDEX attempts_one_open_per_payment ON attempts (payment_id) WHERE status IN ('submitted', 'requires_action', 'unknown');

GRANT SELECT, INSERT, UPDATE ON gateway_circuits, gateway_calls TO web, worker;
GRANT DELETE ON gateway_calls TO worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON routing_preferences TO web;
GRANT SELECT ON routing_preferences TO worker;
GRANT SELECT ON gateway_circuits, gateway_calls, routing_preferences TO reader;
CREATE POLICY retention ON routing_preferences FOR SELECT TO retention USING (true);
GRANT SELECT ON gateway_circuits, gateway_calls, routing_preferences TO retention;
GRANT UPDATE (sealed_order) ON attempts TO retention;
