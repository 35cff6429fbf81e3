-- What the platform takes of captured money, one row for each journal of a fee, with the lines that explain it.
CREATE TABLE fees (
  id                  text PRIMARY KEY,                -- fee_eu_…
  merchant_id         text NOT NULL REFERENCES merchants,
  livemode            boolean NOT NULL,
  kind                text NOT NULL CHECK (kind IN ('charge', 'adjustment')),
  payment_id          text NOT NULL REFERENCES payments,
  source_id           text NOT NULL,                   -- the payment, or the capture, that is charged for
  pricing_plan        text NOT NULL,
  method              text,
  amount_minor        bigint NOT NULL CHECK (amount_minor > 0),
  fee_minor           bigint NOT NULL CHECK (fee_minor <> 0 AND (fee_minor > 0 OR kind = 'adjustment')),
  tax_minor           bigint NOT NULL,
  currency            text NOT NULL,
  month               date,                            -- priced by its volume, in the region's time zone
  volume_before_minor bigint,
  lines               jsonb NOT NULL,
  created_at          timestamptz NOT NULL,
  UNIQUE (source_id, kind),                            -- as its journal is
  CHECK ((method IS NULL) = (kind = 'adjustment'))
);
CREATE INDEX fees_by_payment ON fees (payment_id);
CREATE INDEX fees_by_merchant ON fees (merchant_id, livemode, created_at DESC, id DESC);

ALTER TABLE fees ENABLE ROW LEVEL SECURITY;
ALTER TABLE fees FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON fees TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY worker ON fees TO worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON fees FOR SELECT TO reader USING (true);
CREATE POLICY retention ON fees FOR SELECT TO retention USING (true);
GRANT SELECT, INSERT ON fees TO web, worker;
GRANT SELECT ON fees TO reader, retention;
SELECT audit_table('fees');
