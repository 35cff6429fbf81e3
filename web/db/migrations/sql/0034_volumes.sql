-- What is captured under a price list with tiers by the month's volume, until it is priced, and what it then cost.
CREATE TABLE metered_captures (
  source_id          text PRIMARY KEY,                  -- the payment, or the capture, that is charged for
  merchant_id        text NOT NULL REFERENCES merchants,
  livemode           boolean NOT NULL,
  currency           text NOT NULL,
  month              date NOT NULL CHECK (date_trunc('month', month) = month), -- in the region's time zone, its first day
  payment_id         text NOT NULL REFERENCES payments,
  method             text NOT NULL,
  amount_minor       bigint NOT NULL CHECK (amount_minor > 0),
  captured_at        timestamptz NOT NULL,
  plan_valid_from    timestamptz NOT NULL,              -- the price list that was in force
  priced_at          timestamptz,
  before_minor       bigint,                            -- the volume that its tiers counted before it
  fee_minor          bigint,
  tax_minor          bigint,
  adjusted_minor     bigint,                            -- what it changed for the volume before it, without tax
  CHECK ((priced_at IS NULL) = (before_minor IS NULL)),
  CHECK (num_nulls(before_minor, fee_minor, tax_minor, adjusted_minor) IN (0, 4)),
  FOREIGN KEY (merchant_id, plan_valid_from) REFERENCES pricing_plans (merchant_id, valid_from)
);
CREATE INDEX metered_captures_to_price ON metered_captures (merchant_id, livemode, currency, month) WHERE priced_at IS NULL;

-- Where each month stands. Whoever prices locks its row; what captures is never kept waiting by it.
CREATE TABLE monthly_volumes (
  merchant_id  text NOT NULL REFERENCES merchants,
  livemode     boolean NOT NULL,
  currency     text NOT NULL,
  month        date NOT NULL,
  volume_minor jsonb NOT NULL DEFAULT '{}',             -- by method
  fee_minor    bigint NOT NULL DEFAULT 0,               -- charged by volume, without tax
  price_after  timestamptz NOT NULL DEFAULT '-infinity', -- later after a failure
  PRIMARY KEY (merchant_id, livemode, currency, month)
);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['metered_captures', 'monthly_volumes'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I FOR SELECT TO retention USING (true)', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO web, worker', t);
    EXECUTE format('GRANT UPDATE ON %I TO worker', t);
    EXECUTE format('GRANT SELECT ON %I TO reader, retention', t);
  END LOOP;
END $$;

SELECT audit_table('metered_captures', '{}', '{}', '{source_id}');
SELECT audit_table('monthly_volumes', '{}', '{price_after}', '{merchant_id,livemode,currency,month}');
