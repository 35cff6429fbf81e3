-- Erasure and retention. Requests are business rows and web writes them; everything else here belongs to the role
-- `retention`, which alone deletes. What it may change is what regions/contracts/tables.toml calls personal, column by column
-- (tests/contract/test_data_map.py holds the grants against the map).

CREATE TABLE erasure_requests (
  id              text PRIMARY KEY,                    -- ereq_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,
  subject_id      text NOT NULL REFERENCES data_subjects,
  requested_by    text NOT NULL CHECK (requested_by <> ''),
  reason          text NOT NULL CHECK (reason <> ''),
  idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
  status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done')),
  received_at     timestamptz NOT NULL DEFAULT now(),
  closed_at       timestamptz,
  closed_by       bytea,                               -- the plan that erased the last of it
  UNIQUE (merchant_id, idempotency_key),
  CHECK ((status = 'done') = (closed_at IS NOT NULL AND closed_by IS NOT NULL))
);
CREATE UNIQUE INDEX erasure_requests_one_open_per_subject ON erasure_requests (subject_id) WHERE status = 'open';

-- A hold without a subject covers the merchant; without either, the region. Without a class, every class.
CREATE TABLE legal_holds (
  id          text PRIMARY KEY,                        -- hold_eu_…
  subject_id  text REFERENCES data_subjects,
  merchant_id text REFERENCES merchants,
  data_class  text,
  reason      text NOT NULL CHECK (reason <> ''),
  placed_by   text NOT NULL CHECK (placed_by <> ''),
  placed_at   timestamptz NOT NULL DEFAULT now(),
  released_by text CHECK (released_by <> ''),
  released_at timestamptz,
  CHECK (subject_id IS NULL OR merchant_id IS NULL),
  CHECK ((released_at IS NULL) = (released_by IS NULL))
);

-- A plan is its document, and its name is the document's SHA-256. Nothing of it changes once it is written.
CREATE TABLE retention_plans (
  hash        bytea PRIMARY KEY CHECK (length(hash) = 32),
  plan_date   date NOT NULL,
  document    text NOT NULL,                           -- canonical JSON, the very bytes that were hashed
  status      text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'approved', 'running', 'done')),
  planned_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  approved_by text CHECK (approved_by <> ''),
  approved_at timestamptz,
  started_at  timestamptz,
  done_at     timestamptz,
  search      bytea,                                   -- what verification looks for, encrypted; gone with the certificate
  certificate jsonb,
  CHECK (hash = sha256(convert_to(document, 'UTF8'))),
  CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
  CHECK ((status = 'planned') = (approved_by IS NULL)),
  CHECK (status IN ('running', 'done') OR started_at IS NULL),
  CHECK ((status = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX retention_plans_by_date ON retention_plans (plan_date, planned_at);

CREATE TABLE retention_steps (
  plan_hash bytea NOT NULL REFERENCES retention_plans,
  step      text NOT NULL,
  evidence  jsonb NOT NULL,
  done_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (plan_hash, step)
);

-- From a subject to what is kept about it.
CREATE INDEX checkout_sessions_by_subject ON checkout_sessions (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX payments_by_session ON payments (session_id);

CREATE FUNCTION retention_plan_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.hash, NEW.plan_date, NEW.document, NEW.planned_at) IS DISTINCT FROM (OLD.hash, OLD.plan_date, OLD.document, OLD.planned_at)
     OR (OLD.approved_by IS NOT NULL AND (NEW.approved_by, NEW.approved_at) IS DISTINCT FROM (OLD.approved_by, OLD.approved_at)) THEN
    RAISE EXCEPTION 'a retention plan and its approval never change: make a new plan' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER retention_plans_fixed BEFORE UPDATE ON retention_plans FOR EACH ROW EXECUTE FUNCTION retention_plan_is_fixed();

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security. Requests have a tenant; plans, steps and holds have none, and only `retention` and `reader` see them.
ALTER TABLE erasure_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure_requests TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY retention ON erasure_requests TO retention USING (true) WITH CHECK (true);
CREATE POLICY reader ON erasure_requests FOR SELECT TO reader USING (true);
GRANT SELECT, INSERT ON erasure_requests TO web;
GRANT SELECT ON erasure_requests TO retention, reader;
GRANT UPDATE (status, closed_at, closed_by) ON erasure_requests TO retention;

GRANT SELECT, INSERT ON legal_holds, retention_plans, retention_steps TO retention;
GRANT UPDATE (released_by, released_at) ON legal_holds TO retention;
GRANT UPDATE (status, approved_by, approved_at, started_at, done_at, search, certificate) ON retention_plans TO retention;
GRANT SELECT ON legal_holds, retention_steps TO reader;
GRANT SELECT (hash, plan_date, document, status, planned_at, approved_by, approved_at, started_at, done_at, certificate)
  ON retention_plans TO reader;

-- From a subject to its tenant, for the internal API: one more narrow door.
CREATE POLICY lookup ON data_subjects FOR SELECT TO tenant_lookup USING (true);
GRANT SELECT (id, merchant_id) ON data_subjects TO tenant_lookup;
CREATE FUNCTION tenant_of_subject(p_id text) RETURNS TABLE (subject_id text, merchant_id text)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT s.id, s.merchant_id FROM public.data_subjects AS s WHERE s.id = p_id $$;
REVOKE EXECUTE ON FUNCTION tenant_of_subject(text), retention_plan_is_fixed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_subject(text) TO web;

-- What `retention` reads: everything that verification has to search, except keys' hashes.
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['merchants', 'idempotency_keys', 'links', 'data_subjects', 'checkout_sessions', 'payments', 'link_slots',
                           'attempts', 'refunds', 'ledger_journals', 'ledger_entries', 'object_sequences', 'outbox'] LOOP
    EXECUTE format('CREATE POLICY retention ON %I TO retention USING (true) WITH CHECK (true)', t);
    EXECUTE format('GRANT SELECT ON %I TO retention', t);
  END LOOP;
END $$;
GRANT SELECT ON gateway_webhooks, relay_cursor, relay_batches, stream_consumers, alembic_version TO retention;
CREATE POLICY retention ON api_keys FOR SELECT TO retention USING (true);
GRANT SELECT (id, merchant_id, livemode, prefix, created_at, revoked_at, last_used_at) ON api_keys TO retention;

-- What it erases …
GRANT UPDATE (email_token, erased_at) ON data_subjects TO retention;
GRANT UPDATE (payer) ON checkout_sessions TO retention;
GRANT UPDATE (card_token, card_last4, payment_token, action_url) ON attempts TO retention;
GRANT UPDATE (data, pii) ON outbox TO retention;
-- … what it deletes, by the clock …
GRANT DELETE ON idempotency_keys, gateway_webhooks, checkout_sessions, outbox, object_sequences TO retention;
-- … and what it sweeps afterwards: VACUUM takes dead rows off their pages.
GRANT MAINTAIN ON data_subjects, checkout_sessions, attempts, outbox, idempotency_keys, gateway_webhooks, object_sequences,
  retention_plans, legal_holds TO retention;

-- It rewrites lake tables, so it moves the catalog's pointers; it makes no tables there.
SET LOCAL ROLE lake;
GRANT USAGE ON SCHEMA lake TO retention;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA lake TO retention;
ALTER DEFAULT PRIVILEGES IN SCHEMA lake GRANT SELECT, UPDATE ON TABLES TO retention;
RESET ROLE;

-- Last, because giving a function away gives up the right to grant it.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION tenant_of_subject(text) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
