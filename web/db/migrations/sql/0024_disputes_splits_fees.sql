-- Disputes: what payers complain of at their banks, and what has become of it.
CREATE TABLE disputes (
  id                text PRIMARY KEY,                  -- dp_eu_…
  merchant_id       text NOT NULL REFERENCES merchants,
  livemode          boolean NOT NULL,
  payment_id        text NOT NULL REFERENCES payments,
  gateway           text NOT NULL,
  gateway_account   text NOT NULL,
  gateway_reference text NOT NULL,
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  currency          text NOT NULL,
  status            text NOT NULL CHECK (status IN ('inquiry', 'needs_response', 'under_review', 'won', 'lost')),
  reason            text NOT NULL,
  gateway_reason    text,
  evidence_kinds    text[] NOT NULL DEFAULT '{}',      -- which kinds were handed in; the words are the gateway's alone
  taken_count       integer NOT NULL DEFAULT 0,        -- how often the gateway took the money back
  opened_at         timestamptz NOT NULL,
  evidence_due_at   timestamptz,
  contested_at      timestamptz,
  closed_at         timestamptz,
  created_at        timestamptz NOT NULL DEFAULT now(),
  UNIQUE (gateway, gateway_reference)
);
CREATE INDEX disputes_by_payment ON disputes (payment_id);
CREATE INDEX disputes_by_merchant ON disputes (merchant_id, livemode, created_at DESC, id DESC);
ALTER TABLE disputes ENABLE ROW LEVEL SECURITY;
ALTER TABLE disputes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON disputes TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY worker ON disputes TO worker USING (true) WITH CHECK (true);
CREATE POLICY reader ON disputes FOR SELECT TO reader USING (true);
CREATE POLICY retention ON disputes FOR SELECT TO retention USING (true);
GRANT SELECT, INSERT, UPDATE ON disputes TO web, worker;
GRANT SELECT ON disputes TO reader, retention;

-- A bank may take back what was refunded already: the money is gone twice, and the books say so.
ALTER TABLE payments
  DROP CONSTRAINT payments_check,
  ADD CONSTRAINT payments_refunds_within_captured CHECK (captured_minor >= refunded_minor + pending_refund_minor);

-- A merchant's price lists: the newest that is in force decides.
CREATE TABLE pricing_plans (
  merchant_id text NOT NULL REFERENCES merchants,
  valid_from  timestamptz NOT NULL,
  name        text NOT NULL,
  terms       jsonb NOT NULL,                          -- {"tax_percent", "rules": […]}: web/pricing/domain.py
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, valid_from)
);

-- What sub-merchants get of captured money, and give back of refunds: a record in each merchant's books.
CREATE TABLE splits (
  id              text PRIMARY KEY,                    -- spl_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,  -- whose record it is
  livemode        boolean NOT NULL,
  role            text NOT NULL CHECK (role IN ('sender', 'recipient')),
  sender_id       text NOT NULL REFERENCES merchants,
  recipient_id    text NOT NULL,                       -- as the link names it: it need not exist
  payment_id      text NOT NULL REFERENCES payments,
  source_id       text NOT NULL,                       -- the payment, or the capture, whose money it is; of a reversal the refund
  reverses_id     text REFERENCES splits,              -- the split that a reversal takes back
  status          text NOT NULL CHECK (status IN ('booked', 'refused')),
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  reversed_minor  bigint NOT NULL DEFAULT 0 CHECK (reversed_minor BETWEEN 0 AND amount_minor),
  currency        text NOT NULL,
  position        smallint NOT NULL,                   -- of the split in the link's list, from 0
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX splits_by_payment ON splits (payment_id);
CREATE INDEX splits_by_merchant ON splits (merchant_id, livemode, created_at DESC, id DESC);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['pricing_plans', 'splits'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I FOR SELECT TO retention USING (true)', t);
  END LOOP;
END $$;
CREATE POLICY provisioning ON pricing_plans TO owner USING (true) WITH CHECK (true);
GRANT SELECT ON pricing_plans TO web, worker, reader, retention;
GRANT SELECT, INSERT, UPDATE ON splits TO web, worker;
GRANT SELECT ON splits TO reader, retention;

SELECT audit_table('disputes');
SELECT audit_table('pricing_plans', '{}', '{}', '{merchant_id,valid_from}');
SELECT audit_table('splits');
