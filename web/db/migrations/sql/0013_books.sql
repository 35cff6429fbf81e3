-- What reconciliation books, who resolved which break, and which days are closed. Nothing here is edited or deleted.

-- A reversal takes one journal back, whole, once.
CREATE UNIQUE INDEX ledger_journals_reversed_once ON ledger_journals (reverses_id) WHERE reverses_id IS NOT NULL;
CREATE FUNCTION ledger_reversal_must_mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM ledger_entries WHERE journal_id IN (NEW.id, NEW.reverses_id)
              GROUP BY account, currency HAVING sum(amount_minor) <> 0)
     OR NOT EXISTS (SELECT FROM ledger_entries WHERE journal_id = NEW.reverses_id) THEN
    RAISE EXCEPTION 'journal % does not take back journal %, account by account', NEW.id, NEW.reverses_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_reversals_mirror AFTER INSERT ON ledger_journals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL)
  EXECUTE FUNCTION ledger_reversal_must_mirror();

-- ---------------------------------------------------------------------------------------------------------------
-- Closed days: everything up to and with `through`. They only ever grow.
CREATE TABLE ledger_closes (
  through    date PRIMARY KEY,
  closed_by  text NOT NULL REFERENCES console_users,
  reason     text NOT NULL CHECK (reason <> ''),
  closed_at  timestamptz NOT NULL
);
CREATE FUNCTION ledger_close_is_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ledger_closes'));  -- waits for the journals that are being posted
  IF NEW.through <= (SELECT max(through) FROM ledger_closes) THEN
    RAISE EXCEPTION 'the books are closed through % already', (SELECT max(through) FROM ledger_closes)
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_closes_next BEFORE INSERT ON ledger_closes FOR EACH ROW EXECUTE FUNCTION ledger_close_is_next();
CREATE TRIGGER ledger_closes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_closes
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

-- The day on which something of `p_date` is booked: that day, or the first that is open. VOLATILE, so that it reads after it
-- has the lock: a close that was committed while it waited is seen.
CREATE FUNCTION ledger_open_date(p_date date) RETURNS date LANGUAGE plpgsql VOLATILE AS $$
DECLARE closed date;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('ledger_closes'));
  SELECT max(through) INTO closed FROM ledger_closes;
  RETURN CASE WHEN p_date <= closed THEN closed + 1 ELSE p_date END;
END $$;
CREATE FUNCTION ledger_day_must_be_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.accounting_date <> ledger_open_date(NEW.accounting_date) THEN
    RAISE EXCEPTION 'journal %: % is in a closed period', NEW.id, NEW.accounting_date
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_journals_open_day BEFORE INSERT ON ledger_journals
  FOR EACH ROW EXECUTE FUNCTION ledger_day_must_be_open();

-- ---------------------------------------------------------------------------------------------------------------
-- What a settlement line, bank entry or open balance is booked as. The last generation of a subject counts, unless its
-- journal was reversed.
CREATE TABLE recon_postings (
  id           text PRIMARY KEY,                       -- post_eu_…, the journal's source: hash(subject, match, rules, generation)
  merchant_id  text NOT NULL REFERENCES merchants,
  livemode     boolean NOT NULL,
  subject_id   text NOT NULL CHECK (subject_id <> ''),
  generation   integer NOT NULL CHECK (generation >= 1),
  key          text NOT NULL CHECK (key ~ '^[0-9a-f]{64}$'), -- SHA-256 of line, match and rule version
  rule_version smallint NOT NULL CHECK (rule_version >= 1),
  item_id      text,                                   -- the payment or refund that it settles
  journal_id   text NOT NULL UNIQUE,
  posted_at    timestamptz NOT NULL,
  UNIQUE (merchant_id, subject_id, generation),
  FOREIGN KEY (journal_id, merchant_id) REFERENCES ledger_journals (id, merchant_id)
);
CREATE INDEX recon_postings_by_item ON recon_postings (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX recon_postings_by_subject ON recon_postings (subject_id);

-- How a break was proposed to be resolved. What it moves is in its journal.
CREATE TABLE recon_resolutions (
  id              text PRIMARY KEY,                    -- rsl_eu_…
  merchant_id     text NOT NULL REFERENCES merchants,
  livemode        boolean NOT NULL,
  break_id        text NOT NULL,
  break_class     text NOT NULL,
  action          text NOT NULL CHECK (action IN ('write_off', 'match')),
  gateway         text NOT NULL,
  line_id         text,                                -- the line that is in suspense
  item_id         text,                                -- the payment or refund that clearing still holds
  other_break_id  text,                                -- of a match: the break on the other side
  currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  amount_minor    bigint NOT NULL,                     -- what becomes a gain (credit) or loss (debit)
  needs_checker   boolean NOT NULL,
  reason          text NOT NULL CHECK (reason <> ''),
  idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
  proposed_by     text NOT NULL REFERENCES console_users,
  proposed_at     timestamptz NOT NULL,
  CHECK (line_id IS NOT NULL OR item_id IS NOT NULL),
  CHECK ((action = 'match') = (other_break_id IS NOT NULL)),
  CHECK (needs_checker OR (action = 'match' AND amount_minor = 0)),
  UNIQUE (merchant_id, idempotency_key),
  UNIQUE (id, merchant_id),
  UNIQUE (id, proposed_by, needs_checker)
);
CREATE INDEX recon_resolutions_by_break ON recon_resolutions (break_id);

-- Who decided. Maker and checker are two people, or the row is refused.
CREATE TABLE recon_decisions (
  resolution_id text NOT NULL,
  merchant_id   text NOT NULL,
  decision      text NOT NULL CHECK (decision IN ('approved', 'rejected', 'reopened')),
  proposed_by   text NOT NULL,
  needs_checker boolean NOT NULL,
  decided_by    text REFERENCES console_users,         -- NULL: reconciliation itself, whose match has changed
  reason        text CHECK (reason <> ''),
  decided_at    timestamptz NOT NULL,
  journal_id    text UNIQUE,                           -- of an approval, or the reversal of a re-opening
  PRIMARY KEY (resolution_id, decision),
  FOREIGN KEY (resolution_id, merchant_id) REFERENCES recon_resolutions (id, merchant_id),
  FOREIGN KEY (resolution_id, proposed_by, needs_checker) REFERENCES recon_resolutions (id, proposed_by, needs_checker),
  FOREIGN KEY (journal_id, merchant_id) REFERENCES ledger_journals (id, merchant_id),
  CONSTRAINT maker_is_not_checker CHECK (decision <> 'approved' OR NOT needs_checker
                                         OR (decided_by IS NOT NULL AND decided_by <> proposed_by)),
  CHECK (decided_by IS NOT NULL OR decision <> 'approved'),
  CHECK ((decision = 'rejected') = (journal_id IS NULL))
);
CREATE UNIQUE INDEX recon_decisions_one_verdict ON recon_decisions (resolution_id) WHERE decision IN ('approved', 'rejected');

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['recon_postings', 'recon_resolutions', 'recon_decisions'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant())', t);
    EXECUTE format('CREATE POLICY reader ON %I FOR SELECT TO reader USING (true)', t);
    EXECUTE format('CREATE POLICY retention ON %I FOR SELECT TO retention USING (true)', t);
    EXECUTE format('CREATE POLICY console ON %I FOR SELECT TO console USING (sees_region())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO web', t);
    EXECUTE format('GRANT SELECT ON %I TO reader, retention, console', t);
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()',
                   t || '_append_only', t);
  END LOOP;
END $$;
GRANT SELECT ON ledger_closes TO web, worker, reader, retention, console;
GRANT INSERT ON ledger_closes TO web;

-- ---------------------------------------------------------------------------------------------------------------
-- The platform's own books are a tenant like any other: fees, the bank, and lines that nobody of ours is known for.
CREATE FUNCTION house_tenant(p_region text, p_country text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp AS $$
DECLARE house text := 'merch_' || p_region || '_' || repeat('0', 26);
BEGIN
  INSERT INTO public.merchants (id, name, country) VALUES (house, 'Own books', p_country) ON CONFLICT DO NOTHING;
  RETURN house;
END $$;
-- Who may decide about the books: people of the platform's finance, by id or e-mail address.
CREATE FUNCTION finance_user(p_name text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT u.id FROM public.console_users AS u WHERE (u.id = p_name OR u.email = lower(p_name)) AND u.merchant_id IS NULL
          AND u.role IN ('owner', 'finance') AND u.disabled_at IS NULL $$;
CREATE POLICY lookup ON recon_resolutions FOR SELECT TO tenant_lookup USING (true);
GRANT SELECT (id, merchant_id, livemode) ON recon_resolutions TO tenant_lookup;
CREATE FUNCTION tenant_of_resolution(p_id text) RETURNS TABLE (resolution_id text, merchant_id text, livemode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT r.id, r.merchant_id, r.livemode FROM public.recon_resolutions AS r WHERE r.id = p_id $$;
REVOKE EXECUTE ON FUNCTION ledger_reversal_must_mirror(), ledger_close_is_next(), ledger_open_date(date),
  ledger_day_must_be_open(), house_tenant(text, text), finance_user(text), tenant_of_resolution(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_open_date(date) TO web, worker;
GRANT EXECUTE ON FUNCTION house_tenant(text, text), finance_user(text), tenant_of_resolution(text) TO web;
GRANT EXECUTE ON FUNCTION append_first_events(text, text, text, boolean, smallint, text, text[], jsonb[]) TO web;

-- Last, because giving a function away gives up the right to grant it.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION tenant_of_resolution(text) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
