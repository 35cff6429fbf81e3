-- Payouts: from available money only, per merchant and currency. What moves is in journals; a file goes to the bank.

-- How a merchant is paid out in a currency. `reserve_…` is the platform's to set, the rest the merchant's.
CREATE TABLE payout_settings (
  merchant_id    text NOT NULL REFERENCES merchants,
  livemode       boolean NOT NULL,
  currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  schedule       text NOT NULL CHECK (schedule IN ('daily', 'weekly', 'monthly', 'manual')),
  weekday        smallint CHECK (weekday BETWEEN 1 AND 7),    -- 1 is Monday
  month_day      smallint CHECK (month_day BETWEEN 1 AND 28),
  minimum_minor  bigint NOT NULL DEFAULT 1 CHECK (minimum_minor >= 1),
  reserve_minor  bigint NOT NULL DEFAULT 0 CHECK (reserve_minor >= 0),
  reserve_bps    integer NOT NULL DEFAULT 0 CHECK (reserve_bps BETWEEN 0 AND 10000),
  account_sealed bytea NOT NULL,                              -- holder, number and bank; ciphertext
  account_last4  text NOT NULL,
  next_due_on    date,
  updated_at     timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, livemode, currency)
);
CREATE INDEX payout_settings_due ON payout_settings (next_due_on) WHERE next_due_on IS NOT NULL;

-- A file to the bank: pain.001, all transfers of one mode and currency.
CREATE TABLE payout_batches (
  id           text PRIMARY KEY,                              -- pbat_eu_…
  livemode     boolean NOT NULL,
  currency     text NOT NULL,
  execute_on   date NOT NULL,
  payout_count integer NOT NULL CHECK (payout_count >= 1),
  total_minor  bigint NOT NULL CHECK (total_minor >= 1),
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  file_sealed  bytea NOT NULL,                                -- ciphertext: it names people's accounts
  created_at   timestamptz NOT NULL
);

CREATE TABLE payouts (
  id           text PRIMARY KEY,                              -- pout_eu_…
  merchant_id  text NOT NULL REFERENCES merchants,
  livemode     boolean NOT NULL,
  currency     text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor >= 1),
  status       text NOT NULL CHECK (status IN ('created', 'submitted', 'paid', 'failed')),
  batch_id     text REFERENCES payout_batches,
  failure_code text,
  created_at   timestamptz NOT NULL,
  finished_at  timestamptz,
  CHECK ((status = 'created') = (batch_id IS NULL))
);
CREATE INDEX payouts_by_merchant ON payouts (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX payouts_to_send ON payouts (currency) WHERE status = 'created';
CREATE INDEX payouts_by_batch ON payouts (batch_id);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['payout_settings', 'payouts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I TO retention USING (true)', t);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON payout_settings, payouts TO web, worker;
GRANT SELECT ON payout_batches TO web;
GRANT SELECT, INSERT ON payout_batches TO worker;
GRANT SELECT ON payout_settings, payouts, payout_batches TO retention;
-- What goes with merchants that have left.
GRANT DELETE ON payout_settings, routing_preferences TO retention;
DROP POLICY retention ON routing_preferences;
CREATE POLICY retention ON routing_preferences TO retention USING (true);
GRANT SELECT ON payouts TO reader;
GRANT SELECT (id, livemode, currency, execute_on, payout_count, total_minor, sha256, created_at) ON payout_batches TO reader;
GRANT SELECT (merchant_id, livemode, currency, schedule, weekday, month_day, minimum_minor, reserve_minor, reserve_bps, account_last4,
  next_due_on, updated_at) ON payout_settings TO reader;

-- From a payout to its tenant, for the internal API.
CREATE POLICY lookup ON payouts FOR SELECT TO tenant_lookup USING (true);
GRANT SELECT (id, merchant_id, livemode) ON payouts TO tenant_lookup;
CREATE FUNCTION tenant_of_payout(p_id text) RETURNS TABLE (payout_id text, merchant_id text, livemode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT p.id, p.merchant_id, p.livemode FROM public.payouts AS p WHERE p.id = p_id $$;
REVOKE EXECUTE ON FUNCTION tenant_of_payout(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_payout(text) TO web;
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION tenant_of_payout(text) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
