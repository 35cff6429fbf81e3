-- Money that is set aside first and captured when asked for: captures, voids, and what is left to capture.
ALTER TABLE payments
  DROP CONSTRAINT payments_status_check,
  ADD CONSTRAINT payments_status_check CHECK (status IN
    ('processing', 'requires_action', 'authorised', 'failed', 'voided', 'succeeded', 'superseded')),
  ADD COLUMN capturable_minor bigint NOT NULL DEFAULT 0 CHECK (capturable_minor >= 0), -- set aside, and not asked for yet
  ADD COLUMN pending_capture_minor bigint NOT NULL DEFAULT 0 CHECK (pending_capture_minor >= 0),
  ADD COLUMN authorised_at timestamptz,
  ADD COLUMN authorised_until timestamptz,             -- then we let the rest go, before the gateway does
  ADD COLUMN capture_after timestamptz,                -- then we capture the rest by ourselves
  ADD COLUMN released_at timestamptz,                  -- from then on nothing is set aside any more
  ADD CONSTRAINT payments_capture_within_authorised CHECK (
    authorised_at IS NULL OR capturable_minor + pending_capture_minor + captured_minor <= amount_minor);
DROP INDEX payments_one_open_per_session;
CREATE UNIQUE INDEX payments_one_open_per_session ON payments (session_id)
  WHERE status IN ('processing', 'requires_action', 'authorised');
CREATE INDEX payments_to_capture ON payments (capture_after) WHERE capturable_minor > 0 AND capture_after IS NOT NULL;
CREATE INDEX payments_to_release ON payments (authorised_until) WHERE capturable_minor > 0;

ALTER TABLE attempts
  DROP CONSTRAINT attempts_status_check,
  ADD CONSTRAINT attempts_status_check CHECK (status IN
    ('submitted', 'unknown', 'requires_action', 'authorised', 'failed', 'voided', 'succeeded')),
  ADD COLUMN capture_mode text NOT NULL DEFAULT 'automatic' CHECK (capture_mode IN ('automatic', 'manual')),
  ADD COLUMN authorisation_seconds integer NOT NULL DEFAULT 604800 CHECK (authorisation_seconds > 0);
DROP INDEX attempts_one_open_per_payment;
CREATE UNIQUE INDEX attempts_one_open_per_payment ON attempts (payment_id)
  WHERE status IN ('submitted', 'requires_action', 'unknown', 'authorised');
DROP INDEX attempts_to_resolve;
CREATE INDEX attempts_to_resolve ON attempts (resolve_after)
  WHERE status IN ('submitted', 'requires_action', 'unknown', 'authorised');

CREATE TABLE captures (
  id                text PRIMARY KEY,                  -- cap_eu_…; also the gateway's idempotency key
  merchant_id       text NOT NULL REFERENCES merchants,
  livemode          boolean NOT NULL,
  payment_id        text NOT NULL REFERENCES payments,
  attempt_id        text NOT NULL REFERENCES attempts,
  gateway           text NOT NULL,
  gateway_reference text,
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  currency          text NOT NULL,
  is_final          boolean NOT NULL,                  -- what is left afterwards is let go
  status            text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
  failure_code      text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  resolve_after     timestamptz NOT NULL DEFAULT now() + interval '30 seconds',
  resolve_count     integer NOT NULL DEFAULT 0,
  finished_at       timestamptz
);
CREATE INDEX captures_by_payment ON captures (payment_id);
CREATE INDEX captures_by_merchant ON captures (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX captures_to_resolve ON captures (resolve_after) WHERE status = 'pending';

CREATE TABLE voids (
  id                text PRIMARY KEY,                  -- void_eu_…; also the gateway's idempotency key
  merchant_id       text NOT NULL REFERENCES merchants,
  livemode          boolean NOT NULL,
  payment_id        text NOT NULL REFERENCES payments,
  attempt_id        text NOT NULL REFERENCES attempts,
  gateway           text NOT NULL,
  gateway_reference text,
  reason            text NOT NULL,                     -- voided, authorisation_expired, superseded
  status            text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
  failure_code      text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  resolve_after     timestamptz NOT NULL DEFAULT now() + interval '30 seconds',
  resolve_count     integer NOT NULL DEFAULT 0,
  finished_at       timestamptz
);
CREATE INDEX voids_by_payment ON voids (payment_id);
CREATE UNIQUE INDEX voids_one_pending ON voids (payment_id) WHERE status = 'pending';
CREATE INDEX voids_to_resolve ON voids (resolve_after) WHERE status = 'pending';

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['captures', 'voids'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I FOR SELECT TO retention USING (true)', t);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON captures, voids TO web, worker;
GRANT SELECT ON captures, voids TO reader, retention;

SET LOCAL ROLE tenant_lookup; -- it owns what the audit's triggers call; from here on migrations may audit new tables
GRANT EXECUTE ON FUNCTION audit_write() TO owner;
RESET ROLE;
SELECT audit_table('captures', '{}', '{resolve_after,resolve_count}');
SELECT audit_table('voids', '{}', '{resolve_after,resolve_count}');
