-- Renewals: what a payer has agreed to be charged for again and again, and what became of each period.
CREATE TABLE renewals (
  id                 text PRIMARY KEY,                  -- rnw_eu_…
  merchant_id        text NOT NULL REFERENCES merchants,
  livemode           boolean NOT NULL,
  subject_id         text REFERENCES data_subjects,     -- NULL: the merchant alone knows the payer
  payment_method_id  text REFERENCES saved_methods,     -- what is charged; NULL: the payer gets links
  refused_code       text,                              -- the bank has refused that method for good
  collection         text NOT NULL CHECK (collection IN ('automatic', 'link')),
  amount_minor       bigint NOT NULL CHECK (amount_minor > 0),
  currency           text NOT NULL,
  reference          text NOT NULL,
  description        text,
  period_unit        text NOT NULL CHECK (period_unit IN ('day', 'week', 'month', 'year')),
  period_count       integer NOT NULL CHECK (period_count > 0),
  periods_max        integer CHECK (periods_max > 0),   -- NULL: until it is ended
  link_days          integer NOT NULL CHECK (link_days > 0),
  on_unpaid          text NOT NULL CHECK (on_unpaid IN ('continue', 'end')),
  mandate            text,                              -- the scheme, and the mandate's own reference where it has one
  mandate_reference  text,
  starts_at          timestamptz NOT NULL,
  status             text NOT NULL CHECK (status IN ('active', 'ended')),
  ended_reason       text,
  ended_at           timestamptz,
  next_number        integer NOT NULL DEFAULT 1,        -- of the period that is opened next
  next_opens_at      timestamptz,                       -- NULL: there is none
  created_at         timestamptz NOT NULL,
  CHECK ((status = 'ended') = (ended_at IS NOT NULL))
);
CREATE INDEX renewals_by_merchant ON renewals (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX renewals_by_subject ON renewals (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX renewals_to_open ON renewals (next_opens_at) WHERE status = 'active' AND next_opens_at IS NOT NULL;

-- One period is one single-use link, so it is paid once at most, by whomever: its one slot sees to that.
CREATE TABLE renewal_periods (
  renewal_id       text NOT NULL REFERENCES renewals,
  number           integer NOT NULL CHECK (number > 0),
  merchant_id      text NOT NULL REFERENCES merchants,
  livemode         boolean NOT NULL,
  amount_minor     bigint NOT NULL CHECK (amount_minor > 0), -- as it was when the period was opened
  due_at           timestamptz NOT NULL,
  status           text NOT NULL CHECK (status IN ('due', 'charging', 'link', 'paid', 'unpaid', 'cancelled')),
  link_id          text UNIQUE REFERENCES links,
  payment_id       text REFERENCES payments,            -- the last charge of ours, or what paid it
  tries            integer NOT NULL DEFAULT 0,
  outages          integer NOT NULL DEFAULT 0,          -- charges that never reached a bank
  notified_at      timestamptz,
  try_after        timestamptz NOT NULL,
  failure_code     text,
  link_reason      text,                                -- why the payer was asked
  link_expires_at  timestamptz,
  finished_at      timestamptz,
  created_at       timestamptz NOT NULL,
  PRIMARY KEY (renewal_id, number)
);
CREATE INDEX renewal_periods_to_charge ON renewal_periods (try_after) WHERE status = 'due';
CREATE INDEX renewal_periods_to_end ON renewal_periods (link_expires_at) WHERE status = 'link';

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['renewals', 'renewal_periods'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I FOR SELECT TO retention USING (true)', t);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON renewals, renewal_periods TO web, worker;
GRANT SELECT ON renewals, renewal_periods TO reader, retention;

SELECT audit_table('renewals');
SELECT audit_table('renewal_periods', '{}', '{try_after}', '{renewal_id,number}');
