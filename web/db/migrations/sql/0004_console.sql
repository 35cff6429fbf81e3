-- The console reads. What it writes are its own sessions and the count of failed sign-ins; nobody else touches these.

CREATE TABLE console_users (
  id            text PRIMARY KEY,                      -- user_eu_…
  merchant_id   text REFERENCES merchants,             -- NULL: works for the platform and sees the region
  email         text NOT NULL UNIQUE CHECK (email = lower(email) AND email LIKE '_%@_%'),
  password_hash text NOT NULL CHECK (password_hash LIKE 'scrypt$%'), -- with its parameters and salt
  role          text NOT NULL CHECK (role IN ('owner', 'developer', 'finance', 'support', 'compliance')),
  created_at    timestamptz NOT NULL DEFAULT now(),
  disabled_at   timestamptz,
  CHECK (merchant_id IS NULL OR role <> 'compliance')  -- erasure is proven for the whole region
);

CREATE TABLE console_sessions (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256 of the cookie
  user_id    text NOT NULL REFERENCES console_users,
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,                     -- to the minute
  expires_at timestamptz NOT NULL                      -- the end, however busy the session is
);
CREATE INDEX console_sessions_by_user ON console_sessions (user_id);

-- One row per failed sign-in and thing that it counts against. It is written before the password is looked at and removed
-- when the password was right, so that many tries at once are no way around the limit.
CREATE TABLE console_sign_in_failures (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind     text NOT NULL CHECK (kind IN ('user', 'address')),
  key_hash bytea NOT NULL CHECK (length(key_hash) = 32), -- HMAC of the e-mail or network address under the console's key
  at       timestamptz NOT NULL
);
CREATE INDEX console_sign_in_failures_by_key ON console_sign_in_failures (kind, key_hash, at);
CREATE INDEX console_sign_in_failures_by_time ON console_sign_in_failures (at);

-- ---------------------------------------------------------------------------------------------------------------
-- Whose rows: those of one merchant, or, for people of the platform, the region's. Neither set: none.
CREATE FUNCTION sees_region() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN coalesce(current_setting('meridian.console_reach', true) = 'region', false);
GRANT EXECUTE ON FUNCTION current_merchant(), sees_region() TO console;
GRANT USAGE ON SCHEMA public TO console;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['merchants', 'links', 'payments', 'erasure_requests'] LOOP
    EXECUTE format('CREATE POLICY console ON %I FOR SELECT TO console USING (%I = current_merchant() OR sees_region())',
                   t, CASE t WHEN 'merchants' THEN 'id' ELSE 'merchant_id' END);
  END LOOP;
END $$;
-- No link code (it opens the payer's page), no description, no metadata.
GRANT SELECT (id, name) ON merchants TO console;
GRANT SELECT (id, merchant_id, livemode, amount_minor, currency, reference, usage, status, channel, campaign, expires_at, created_at)
  ON links TO console;
GRANT SELECT (id, merchant_id, livemode, link_id, amount_minor, currency, status, failure_code, captured_minor, refunded_minor,
              is_late, created_at, succeeded_at) ON payments TO console;
GRANT SELECT (id, merchant_id, subject_id, status, received_at, closed_at) ON erasure_requests TO console;

-- Plans and holds have no tenant: they are the region's.
CREATE VIEW console_retention_plans WITH (security_barrier) AS
  SELECT hash, plan_date, document, status, planned_at, approved_by, approved_at, started_at, done_at, certificate
    FROM retention_plans WHERE sees_region();
CREATE VIEW console_legal_holds WITH (security_barrier) AS
  SELECT id, subject_id, merchant_id, data_class, reason, placed_by, placed_at, released_by, released_at
    FROM legal_holds WHERE sees_region();
GRANT SELECT ON console_retention_plans, console_legal_holds TO console;

GRANT SELECT (id, merchant_id, email, password_hash, role, disabled_at) ON console_users TO console;
GRANT SELECT, INSERT, DELETE ON console_sessions TO console;
GRANT UPDATE (seen_at) ON console_sessions TO console;
GRANT SELECT, INSERT, DELETE ON console_sign_in_failures TO console;

-- What verification of an erasure searches: not who works here, and no secret.
GRANT SELECT (id, merchant_id, role, created_at, disabled_at) ON console_users TO retention;
GRANT SELECT (user_id, created_at, seen_at, expires_at) ON console_sessions TO retention;
GRANT SELECT (id, kind, at) ON console_sign_in_failures TO retention;
