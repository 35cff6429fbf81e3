-- One schema for every region. Tenants are separated by row-level security that binds the owner too.
-- Roles are cluster-wide and are made by `web.db.provision`, with passwords, before this runs:
--   owner (migrations), web, worker, relay, dispatcher, retention, lake (Iceberg catalog, ingest position),
--   reader (pipelines' read-only view of the region), tenant_lookup (NOLOGIN: owns the SECURITY DEFINER functions).
--   owner may SET ROLE to lake and tenant_lookup, and inherits nothing from them.

CREATE SCHEMA lake AUTHORIZATION lake; -- the Iceberg catalog's tables live here; PyIceberg creates them
SET LOCAL ROLE lake;
GRANT USAGE ON SCHEMA lake TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA lake GRANT SELECT ON TABLES TO reader;
RESET ROLE;

-- ---------------------------------------------------------------------------------------------------------------
-- Who is asking. An unset or empty setting is no access: NULL equals nothing.
CREATE FUNCTION current_merchant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('meridian.merchant_id', true), '');

-- ---------------------------------------------------------------------------------------------------------------
-- Merchants and keys
CREATE TABLE merchants (
  id           text PRIMARY KEY,                       -- merch_eu_…
  name         text NOT NULL CHECK (name <> ''),
  country      text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  id           text PRIMARY KEY,                       -- key_eu_…
  merchant_id  text NOT NULL REFERENCES merchants,
  livemode     boolean NOT NULL,
  hash         bytea NOT NULL UNIQUE CHECK (length(hash) = 32), -- HMAC-SHA256 under the region's pepper
  prefix       text NOT NULL,                          -- what may be shown: mk_test_eu_AbCd
  created_at   timestamptz NOT NULL DEFAULT now(),
  revoked_at   timestamptz,
  last_used_at timestamptz
);

-- Three tables name a merchant without a foreign key (idempotency_keys, object_sequences, outbox): row-level security lets
-- the web role write its own merchant only, which comes from a key that references merchants, and each check costs a lock.
CREATE TABLE idempotency_keys (
  merchant_id     text NOT NULL,
  livemode        boolean NOT NULL,
  key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32), -- SHA-256 of method, path and body
  locked_until    timestamptz,                         -- a lease while in flight; NULL once answered
  object_id       text,                                -- the object that the committed intent is bound to
  response_status smallint CHECK (response_status BETWEEN 200 AND 499),
  response_body   bytea,                               -- no secret, no PII
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, livemode, key)
);

-- ---------------------------------------------------------------------------------------------------------------
-- Links and checkout
CREATE TABLE links (
  id             text PRIMARY KEY,                     -- plink_eu_…
  merchant_id    text NOT NULL REFERENCES merchants,
  livemode       boolean NOT NULL,
  code           text NOT NULL UNIQUE,                 -- at least 128 random bits: it grants access to the page
  amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
  currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  reference      text NOT NULL CHECK (length(reference) BETWEEN 1 AND 128),
  description    text CHECK (length(description) <= 500),
  metadata       jsonb NOT NULL DEFAULT '{}',
  usage          text NOT NULL DEFAULT 'single' CHECK (usage IN ('single', 'multi')),
  status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deactivated', 'completed')),
  channel        text,                                 -- attribution: email, sms, social, qr, in_app, …
  campaign       text,
  expires_at     timestamptz,                          -- evaluated on read
  created_at     timestamptz NOT NULL DEFAULT now(),
  deactivated_at timestamptz
);
CREATE INDEX links_by_merchant ON links (merchant_id, livemode, created_at DESC, id DESC);

CREATE TABLE data_subjects (
  id           text PRIMARY KEY,                       -- subj_eu_…
  merchant_id  text NOT NULL REFERENCES merchants,
  email_token  text,                                   -- region-keyed, versioned HMAC; personal data; nulled on erasure
  created_at   timestamptz NOT NULL DEFAULT now(),
  erased_at    timestamptz,
  UNIQUE (merchant_id, email_token)
);

CREATE TABLE checkout_sessions (
  id             text PRIMARY KEY,                     -- cs_eu_…
  merchant_id    text NOT NULL REFERENCES merchants,
  livemode       boolean NOT NULL,
  link_id        text NOT NULL REFERENCES links,
  token_hash     bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32), -- SHA-256 of the unguessable URL part
  subject_id     text REFERENCES data_subjects,
  payer          jsonb,                                -- {"ciphertext": …}: the payer's answers, under the subject's key
  amount_minor   bigint NOT NULL CHECK (amount_minor > 0), -- the link's price, frozen
  currency       text NOT NULL,
  locale         text NOT NULL,
  device_class   text NOT NULL CHECK (device_class IN ('desktop', 'mobile', 'tablet', 'bot', 'unknown')),
  channel        text,
  campaign       text,
  status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'completed', 'expired')),
  created_at     timestamptz NOT NULL DEFAULT now(),
  expires_at     timestamptz NOT NULL,
  completed_at   timestamptz
);
CREATE INDEX checkout_sessions_expiry ON checkout_sessions (expires_at) WHERE status = 'open';

-- ---------------------------------------------------------------------------------------------------------------
-- Payments
CREATE TABLE payments (
  id                   text PRIMARY KEY,               -- pay_eu_…
  merchant_id          text NOT NULL REFERENCES merchants,
  livemode             boolean NOT NULL,
  link_id              text NOT NULL REFERENCES links,
  session_id           text NOT NULL REFERENCES checkout_sessions,
  amount_minor         bigint NOT NULL CHECK (amount_minor > 0),
  currency             text NOT NULL,
  status               text NOT NULL CHECK (status IN ('processing', 'requires_action', 'succeeded', 'failed', 'superseded')),
  failure_code         text,
  captured_minor       bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
  refunded_minor       bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
  pending_refund_minor bigint NOT NULL DEFAULT 0 CHECK (pending_refund_minor >= 0),
  disputed_minor       bigint NOT NULL DEFAULT 0 CHECK (disputed_minor >= 0),
  is_late              boolean NOT NULL DEFAULT false, -- money that arrived after expiry (`paid_late`)
  created_at           timestamptz NOT NULL DEFAULT now(),
  succeeded_at         timestamptz,
  failed_at            timestamptz,
  CHECK (captured_minor >= refunded_minor + pending_refund_minor + disputed_minor)
);
CREATE UNIQUE INDEX payments_one_open_per_session ON payments (session_id)
  WHERE status IN ('processing', 'requires_action');
CREATE INDEX payments_by_merchant ON payments (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX payments_by_link ON payments (link_id);

-- Capacity of a single-use link: one slot, leased while unsubmitted, held by a submitted attempt until a definite outcome.
CREATE TABLE link_slots (
  link_id     text NOT NULL REFERENCES links,
  slot        integer NOT NULL CHECK (slot >= 1),
  merchant_id text NOT NULL REFERENCES merchants,
  payment_id  text NOT NULL REFERENCES payments,
  state       text NOT NULL CHECK (state IN ('held', 'used')),
  PRIMARY KEY (link_id, slot)
);

CREATE TABLE attempts (
  id                text PRIMARY KEY,                  -- att_eu_…; also the gateway's idempotency key
  merchant_id       text NOT NULL REFERENCES merchants,
  payment_id        text NOT NULL REFERENCES payments,
  gateway           text NOT NULL,
  gateway_account   text NOT NULL,
  gateway_reference text,
  method            text NOT NULL DEFAULT 'card',
  payment_token     text NOT NULL,                     -- the gateway's single-use token, never card data
  card_token        text,                              -- the gateway's fingerprint; personal data
  card_brand        text,
  card_last4        text CHECK (card_last4 ~ '^[0-9]{4}$'),
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  currency          text NOT NULL,
  status            text NOT NULL CHECK (status IN ('submitted', 'requires_action', 'succeeded', 'failed', 'unknown')),
  action_url        text,                              -- where the payer passes the 3DS challenge
  decline_code      text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  resolve_after     timestamptz NOT NULL DEFAULT now() + interval '30 seconds', -- when the resolver asks the gateway
  resolve_count     integer NOT NULL DEFAULT 0,
  finished_at       timestamptz,
  UNIQUE (gateway, gateway_reference)
);
CREATE INDEX attempts_by_payment ON attempts (payment_id);
CREATE INDEX attempts_to_resolve ON attempts (resolve_after) WHERE status IN ('submitted', 'requires_action', 'unknown');

CREATE TABLE refunds (
  id                text PRIMARY KEY,                  -- re_eu_…; also the gateway's idempotency key
  merchant_id       text NOT NULL REFERENCES merchants,
  livemode          boolean NOT NULL,
  payment_id        text NOT NULL REFERENCES payments,
  gateway           text NOT NULL,
  gateway_reference text,
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  currency          text NOT NULL,
  reason            text,
  status            text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
  failure_code      text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  resolve_after     timestamptz NOT NULL DEFAULT now() + interval '30 seconds',
  resolve_count     integer NOT NULL DEFAULT 0,
  finished_at       timestamptz,
  UNIQUE (gateway, gateway_reference)
);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_to_resolve ON refunds (resolve_after) WHERE status = 'pending';

-- A gateway's webhook: verified, stored encrypted, answered, then processed.
CREATE TABLE gateway_webhooks (
  id               text PRIMARY KEY,                   -- gwh_eu_…
  gateway          text NOT NULL,
  gateway_event_id text NOT NULL,
  body             bytea NOT NULL,                     -- ciphertext
  received_at      timestamptz NOT NULL DEFAULT now(),
  process_after    timestamptz NOT NULL DEFAULT now(),
  tries            integer NOT NULL DEFAULT 0,
  processed_at     timestamptz,
  error            text,
  UNIQUE (gateway, gateway_event_id)
);
CREATE INDEX gateway_webhooks_due ON gateway_webhooks (process_after) WHERE processed_at IS NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- Ledger: double entry, balanced per currency in the database, never edited.
CREATE TABLE ledger_journals (
  id              text PRIMARY KEY,                    -- jrn_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,
  livemode        boolean NOT NULL,
  kind            text NOT NULL,                       -- payment, refund, settlement, reversal, …
  source_id       text NOT NULL,                       -- the payment, refund, … that this journal books
  reverses_id     text REFERENCES ledger_journals,
  occurred_at     timestamptz NOT NULL,
  booked_at       timestamptz NOT NULL DEFAULT now(),
  accounting_date date NOT NULL,                       -- in the region's time zone
  posted_in       xid8 NOT NULL DEFAULT pg_current_xact_id(), -- entries may join in this transaction only
  UNIQUE (kind, source_id),
  UNIQUE (id, merchant_id)
);

CREATE TABLE ledger_entries (
  journal_id   text NOT NULL,
  line         smallint NOT NULL CHECK (line >= 1),
  merchant_id  text NOT NULL,
  account      text NOT NULL,                          -- gateway_clearing:sandbox, merchant_payable_pending, …
  currency     text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0), -- debit positive, credit negative
  PRIMARY KEY (journal_id, line),
  FOREIGN KEY (journal_id, merchant_id) REFERENCES ledger_journals (id, merchant_id)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (account, currency);

-- Checked at commit, once per journal: it has entries, they sum to zero in each currency, and all of them were posted with it.
-- It reads as the posting role, under row-level security: a journal that the tenant setting hides counts as one without entries.
CREATE FUNCTION ledger_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  unbalanced text;
  entry_count bigint;
BEGIN
  SELECT string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0), coalesce(sum(entries), 0)
    INTO unbalanced, entry_count
    FROM (SELECT currency, sum(amount_minor) AS total, count(*) AS entries FROM ledger_entries
           WHERE journal_id = NEW.id GROUP BY currency) AS totals;
  IF entry_count < 2 THEN
    RAISE EXCEPTION 'journal % has % entries: it needs at least two', NEW.id, entry_count USING ERRCODE = 'check_violation';
  END IF;
  IF unbalanced IS NOT NULL THEN
    RAISE EXCEPTION 'journal % does not balance: %', NEW.id, unbalanced USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_journals_balance AFTER INSERT ON ledger_journals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_must_balance();

-- A later entry would be an edit, even a balanced one.
CREATE FUNCTION ledger_entries_join_their_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_journals WHERE id = NEW.journal_id AND posted_in = pg_current_xact_id()) THEN
    RAISE EXCEPTION 'journal % was not posted in this transaction: post a new journal instead', NEW.journal_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_with_their_journal BEFORE INSERT ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION ledger_entries_join_their_journal();

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: post a reversal instead', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_journals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_journals
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

-- ---------------------------------------------------------------------------------------------------------------
-- Outbox
CREATE TABLE object_sequences (
  object_id   text PRIMARY KEY,
  merchant_id text NOT NULL,
  sequence    bigint NOT NULL CHECK (sequence >= 1)
);

CREATE TABLE outbox (
  id             uuid PRIMARY KEY,                     -- UUIDv7 = the event's CloudEvents id
  xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
  type           text NOT NULL,                        -- payment.succeeded
  family         text NOT NULL,                        -- links, checkout, payments, ledger, …: the topic is <region>.<family>.v1
  subject        text NOT NULL,                        -- the object's id; also the record's key
  sequence       bigint NOT NULL,
  merchant_id    text NOT NULL,
  livemode       boolean NOT NULL,
  time           timestamptz NOT NULL,
  schema_version smallint NOT NULL,
  correlation_id text,
  data           jsonb NOT NULL,
  pii            jsonb,                                -- {"subject", "retention_class", "ciphertext"} or NULL
  CHECK (octet_length(data::text) + coalesce(octet_length(pii::text), 0) <= 262144), -- fits any broker's message limit
  UNIQUE (subject, sequence)
);
CREATE INDEX outbox_by_xid ON outbox (xid);

-- The one way into the outbox. The upsert locks the object's sequence row until commit; `id` and `time` are drawn
-- after that lock is held, so per object they grow in commit order. Returns the event's id and sequence.
CREATE FUNCTION append_event(
  p_type text, p_family text, p_subject text, p_merchant_id text, p_livemode boolean, p_schema_version smallint,
  p_correlation_id text, p_data jsonb, p_pii jsonb,
  OUT event_id uuid, OUT event_sequence bigint
) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO object_sequences AS s (object_id, merchant_id, sequence) VALUES (p_subject, p_merchant_id, 1)
    ON CONFLICT (object_id) DO UPDATE SET sequence = s.sequence + 1
    RETURNING s.sequence INTO event_sequence;
  event_id := uuidv7();
  INSERT INTO outbox (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, data, pii)
    VALUES (event_id, p_type, p_family, p_subject, event_sequence, p_merchant_id, p_livemode, clock_timestamp(),
            p_schema_version, p_correlation_id, p_data, p_pii);
END $$;

-- The relay's cursor. Position = (epoch, batch, ordinal), written "epoch:batch:ordinal".
CREATE TABLE relay_cursor (
  is_single     boolean PRIMARY KEY DEFAULT true CHECK (is_single),
  epoch         integer NOT NULL DEFAULT 1,
  batch         bigint NOT NULL DEFAULT 0,             -- the last batch that was acknowledged whole
  snapshot      pg_snapshot NOT NULL DEFAULT '1:1:',   -- everything visible in it is in Kafka
  next_snapshot pg_snapshot,                           -- persisted before anything of batch + 1 is produced
  partitions    jsonb NOT NULL DEFAULT '{}',           -- {"eu.links.v1/0": "1:42:7"}: the last position per partition
  updated_at    timestamptz NOT NULL DEFAULT now()
);
INSERT INTO relay_cursor DEFAULT VALUES;

-- One row per acknowledged batch, so that the cursor can be moved back to what every consumer has.
CREATE TABLE relay_batches (
  epoch       integer NOT NULL,
  batch       bigint NOT NULL,
  previous    pg_snapshot NOT NULL,
  snapshot    pg_snapshot NOT NULL,
  partitions  jsonb NOT NULL,                          -- the last position per partition before this batch
  event_count integer NOT NULL,
  produced_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (epoch, batch)
);

-- Who reads the stream, and how far: outbox rows go only once all of them have passed.
CREATE TABLE stream_consumers (
  name       text PRIMARY KEY,                         -- lake, webhooks, …
  positions  jsonb NOT NULL DEFAULT '{}',              -- {"eu.links.v1/0": "1:42:7"}
  rewind_to  text,                                     -- set by a consumer whose chain broke: ask the relay to re-send after this position
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security: forced, on every table that has a tenant.
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['merchants', 'api_keys', 'idempotency_keys', 'links', 'data_subjects', 'checkout_sessions', 'payments',
                           'link_slots', 'attempts', 'refunds', 'ledger_journals', 'ledger_entries', 'object_sequences', 'outbox'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (%I = current_merchant()) WITH CHECK (%I = current_merchant())',
                   t, CASE t WHEN 'merchants' THEN 'id' ELSE 'merchant_id' END, CASE t WHEN 'merchants' THEN 'id' ELSE 'merchant_id' END);
    EXECUTE format('CREATE POLICY worker ON %I TO worker USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
  END LOOP;
END $$;
CREATE POLICY relay ON outbox FOR SELECT TO relay USING (true);
CREATE POLICY provisioning ON merchants TO owner USING (true) WITH CHECK (true);
CREATE POLICY provisioning ON api_keys TO owner USING (true) WITH CHECK (true);

-- Narrow doors from a code, a token hash, a key hash or a gateway's reference to the tenant. Owned by a role that can do nothing else.
CREATE POLICY lookup ON api_keys FOR SELECT TO tenant_lookup USING (true);
CREATE POLICY lookup ON links FOR SELECT TO tenant_lookup USING (true);
CREATE POLICY lookup ON checkout_sessions FOR SELECT TO tenant_lookup USING (true);
GRANT USAGE ON SCHEMA public TO tenant_lookup;
GRANT SELECT (id, merchant_id, livemode, hash, revoked_at) ON api_keys TO tenant_lookup;
GRANT SELECT (id, merchant_id, livemode, code) ON links TO tenant_lookup;
GRANT SELECT (id, merchant_id, livemode, token_hash) ON checkout_sessions TO tenant_lookup;

CREATE FUNCTION tenant_of_key(p_hash bytea) RETURNS TABLE (key_id text, merchant_id text, livemode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT k.id, k.merchant_id, k.livemode FROM public.api_keys AS k WHERE k.hash = p_hash AND k.revoked_at IS NULL $$;
CREATE FUNCTION tenant_of_link_code(p_code text) RETURNS TABLE (link_id text, merchant_id text, livemode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT l.id, l.merchant_id, l.livemode FROM public.links AS l WHERE l.code = p_code $$;
CREATE FUNCTION tenant_of_session(p_token_hash bytea) RETURNS TABLE (session_id text, merchant_id text, livemode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT s.id, s.merchant_id, s.livemode FROM public.checkout_sessions AS s WHERE s.token_hash = p_token_hash $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Least privilege. Nobody updates or deletes the ledger or the outbox. PUBLIC holds no function and no table.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO web, worker, relay, dispatcher, retention, lake, reader;
GRANT EXECUTE ON FUNCTION current_merchant(), append_event(text, text, text, text, boolean, smallint, text, jsonb, jsonb) TO web, worker;
GRANT EXECUTE ON FUNCTION tenant_of_key(bytea), tenant_of_link_code(text), tenant_of_session(bytea) TO web;

GRANT SELECT ON merchants TO web, worker;
GRANT SELECT (id, merchant_id, livemode, prefix, created_at, revoked_at, last_used_at) ON api_keys TO web;
GRANT UPDATE (last_used_at) ON api_keys TO web;
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO web;
GRANT SELECT, DELETE ON idempotency_keys TO worker;
GRANT SELECT, INSERT, UPDATE ON links, data_subjects, checkout_sessions, payments, attempts, refunds, object_sequences TO web, worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON link_slots TO web, worker;
GRANT INSERT ON gateway_webhooks TO web;
GRANT SELECT (gateway, gateway_event_id) ON gateway_webhooks TO web; -- what ON CONFLICT DO NOTHING needs
GRANT SELECT, UPDATE, DELETE ON gateway_webhooks TO worker;
GRANT SELECT, INSERT ON ledger_journals, ledger_entries TO web, worker;
GRANT INSERT ON outbox TO web, worker;

GRANT SELECT ON outbox TO relay;
GRANT SELECT, UPDATE ON relay_cursor TO relay;
GRANT SELECT, INSERT, DELETE ON relay_batches TO relay;
GRANT SELECT, INSERT, UPDATE ON stream_consumers TO relay, lake;
GRANT SELECT ON relay_cursor, relay_batches TO lake;

-- The pipelines' view of the region: business rows, never a key's hash, a stored answer or a webhook's body.
GRANT SELECT ON merchants, links, data_subjects, checkout_sessions, payments, link_slots, attempts, refunds, ledger_journals,
  ledger_entries, object_sequences, outbox, relay_cursor, relay_batches, stream_consumers TO reader;
GRANT SELECT (id, merchant_id, livemode, prefix, created_at, revoked_at, last_used_at) ON api_keys TO reader;

-- Last, because giving a function away gives up the right to grant it.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION tenant_of_key(bytea) OWNER TO tenant_lookup;
ALTER FUNCTION tenant_of_link_code(text) OWNER TO tenant_lookup;
ALTER FUNCTION tenant_of_session(bytea) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
