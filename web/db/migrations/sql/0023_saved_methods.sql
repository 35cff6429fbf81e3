-- Methods that payers have agreed to be charged on again by the same merchant.

-- Whether a merchant's payers are asked.
CREATE TABLE saved_method_settings (
  merchant_id text NOT NULL REFERENCES merchants,
  livemode    boolean NOT NULL,
  is_offered  boolean NOT NULL,
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, livemode)
);

CREATE TABLE saved_methods (
  id                text PRIMARY KEY,                     -- pm_eu_…
  merchant_id       text NOT NULL REFERENCES merchants,
  livemode          boolean NOT NULL,
  subject_id        text NOT NULL REFERENCES data_subjects,
  attempt_id        text NOT NULL REFERENCES attempts,    -- the one that it was saved with
  gateway           text NOT NULL,
  gateway_saved_id  text,                                 -- the gateway's name for it; NULL until it is saved, and once it is forgotten
  method            text NOT NULL,
  card_brand        text,
  card_last4        text CHECK (card_last4 ~ '^[0-9]{4}$'),
  status            text NOT NULL CHECK (status IN ('pending', 'active', 'deleted')),
  mandate           text NOT NULL,                        -- under which scheme it may be charged (regions/catalog)
  consent_locale    text NOT NULL,
  consent_sha256    text NOT NULL CHECK (consent_sha256 ~ '^[0-9a-f]{64}$'), -- of the words that the payer agreed to
  consented_at      timestamptz NOT NULL,
  created_at        timestamptz NOT NULL,
  deleted_at        timestamptz
);
CREATE INDEX saved_methods_by_merchant ON saved_methods (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX saved_methods_by_subject ON saved_methods (subject_id);
CREATE UNIQUE INDEX saved_methods_by_attempt ON saved_methods (attempt_id);
CREATE INDEX saved_methods_to_forget ON saved_methods (id) WHERE status = 'deleted' AND gateway_saved_id IS NOT NULL;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['saved_method_settings', 'saved_methods'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I TO retention USING (true) WITH CHECK (true)', t);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON saved_method_settings, saved_methods TO web, worker;
GRANT SELECT ON saved_method_settings, saved_methods TO reader, retention;
GRANT UPDATE (gateway_saved_id, card_last4) ON saved_methods TO retention;
GRANT DELETE ON saved_method_settings TO retention;
GRANT MAINTAIN ON saved_methods TO retention;
