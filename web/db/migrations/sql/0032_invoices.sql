-- Invoices that were issued. Nothing here is edited or deleted: what is wrong is taken back by a credit note, with a number of its own.

-- The last number of each issuer, mode and year. Only the trigger below moves it, so a number is drawn with its invoice or not at all:
-- the row stays locked until that transaction ends, and one that fails gives its number back.
CREATE TABLE invoice_series (
  issuer      text NOT NULL CHECK (issuer <> ''),      -- the region, whose company issues
  livemode    boolean NOT NULL,
  year        smallint NOT NULL,
  last_number integer NOT NULL CHECK (last_number >= 1),
  PRIMARY KEY (issuer, livemode, year)
);

CREATE TABLE invoices (
  number       text PRIMARY KEY,                       -- EU-2026-000001
  merchant_id  text NOT NULL REFERENCES merchants,
  livemode     boolean NOT NULL,
  issuer       text NOT NULL,
  year         smallint NOT NULL,                      -- in which it was issued, in the issuer's time zone
  sequence     integer NOT NULL CHECK (sequence >= 1),
  kind         text NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
  credits      text UNIQUE,                            -- the invoice that a credit note takes back, whole, once
  month        date NOT NULL CHECK (extract(day FROM month) = 1),
  currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  revision     smallint NOT NULL CHECK (revision >= 1), -- of the month's invoices: the one before was taken back
  total_minor  bigint NOT NULL,
  document     jsonb NOT NULL,                         -- every figure as issued, and who is who
  reason       text CHECK (reason <> ''),              -- of a credit note
  issued_by    text NOT NULL REFERENCES console_users,
  issued_on    date NOT NULL,
  issued_at    timestamptz NOT NULL,
  UNIQUE (issuer, livemode, year, sequence),
  UNIQUE (merchant_id, livemode, month, currency, kind, revision),
  CHECK ((kind = 'credit_note') = (credits IS NOT NULL AND reason IS NOT NULL)),
  CHECK (extract(year FROM issued_on) = year)
);

CREATE FUNCTION invoice_takes_next_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO public.invoice_series AS s (issuer, livemode, year, last_number) VALUES (NEW.issuer, NEW.livemode, NEW.year, 1)
    ON CONFLICT (issuer, livemode, year) DO UPDATE SET last_number = s.last_number + 1
    RETURNING s.last_number INTO NEW.sequence;
  NEW.number := upper(NEW.issuer) || CASE WHEN NEW.livemode THEN '' ELSE '-TEST' END || '-' || NEW.year || '-'
                || lpad(NEW.sequence::text, greatest(6, length(NEW.sequence::text)), '0');
  RETURN NEW;
END $$;
CREATE TRIGGER invoices_number BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION invoice_takes_next_number();

-- A credit note takes back an invoice of the same merchant, to the last minor unit; an invoice follows one that was taken back.
CREATE FUNCTION invoice_must_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.kind = 'credit_note' AND NOT EXISTS (
       SELECT FROM invoices i WHERE i.number = NEW.credits AND i.kind = 'invoice' AND i.merchant_id = NEW.merchant_id
          AND i.livemode = NEW.livemode AND i.month = NEW.month AND i.currency = NEW.currency AND i.revision = NEW.revision
          AND i.total_minor = -NEW.total_minor) THEN
    RAISE EXCEPTION 'credit note % does not take back invoice %', NEW.number, NEW.credits USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.kind = 'invoice' AND NEW.revision <> 1 + (
       SELECT count(*) FROM invoices i WHERE i.kind = 'credit_note' AND i.merchant_id = NEW.merchant_id AND i.livemode = NEW.livemode
          AND i.month = NEW.month AND i.currency = NEW.currency) THEN
    RAISE EXCEPTION 'invoice %: the month has an invoice that was not taken back', NEW.number USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER invoices_follow AFTER INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION invoice_must_follow();
CREATE TRIGGER invoices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoices
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoices FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invoices TO web USING (merchant_id = current_merchant()) WITH CHECK (merchant_id = current_merchant());
CREATE POLICY reader ON invoices FOR SELECT TO reader USING (true);
CREATE POLICY retention ON invoices FOR SELECT TO retention USING (true);
GRANT SELECT, INSERT ON invoices TO web;
GRANT SELECT ON invoices TO reader, retention;
GRANT SELECT ON invoice_series TO reader, retention;
REVOKE EXECUTE ON FUNCTION invoice_takes_next_number(), invoice_must_follow() FROM PUBLIC;
