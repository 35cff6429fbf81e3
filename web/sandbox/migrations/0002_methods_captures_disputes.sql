-- Every method, money that is set aside and taken later, saved methods, disputes.

ALTER TABLE payments
  DROP CONSTRAINT payments_status_check,
  DROP CONSTRAINT payments_check,   -- captured, with its reference
  DROP CONSTRAINT payments_check1,  -- declined, with its code
  DROP CONSTRAINT payments_check3,  -- a batch holds captured payments
  ADD COLUMN method         text NOT NULL DEFAULT 'card',
  ADD COLUMN capture_mode   text NOT NULL DEFAULT 'automatic' CHECK (capture_mode IN ('automatic', 'manual')),
  ADD COLUMN captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0), -- the sum of its captures
  ADD COLUMN authorised_at  timestamptz,
  ADD COLUMN saved_method   text,                      -- what it is paid with, or what is kept of it
  ADD COLUMN save_for       text,                      -- the merchant's payer who has agreed to be charged again
  ADD COLUMN dispute_due_at timestamptz,               -- when the payer complains, if the card or amount is such a one
  ADD CHECK (method IN ('card', 'wallet', 'bank_transfer', 'upi', 'fps', 'sepa_debit', 'ideal')),
  ADD CHECK (status IN ('captured', 'authorised', 'declined', 'voided', 'requires_action', 'pending')),
  ADD CHECK ((status IN ('declined', 'voided')) = (decline_code IS NOT NULL));

-- Each taking of money; one payment may have several. An automatic capture has no reference of the merchant.
CREATE TABLE captures (
  id           text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account      text NOT NULL,
  payment_id   text NOT NULL REFERENCES payments,
  reference    text CHECK (length(reference) BETWEEN 1 AND 128),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency     text NOT NULL,
  status       text NOT NULL CHECK (status IN ('succeeded', 'failed')),
  failure_code text,
  is_final     boolean NOT NULL DEFAULT true,
  created_at   timestamptz NOT NULL DEFAULT now(),
  captured_at  timestamptz,
  batch_id     bigint REFERENCES settlement_batches,
  CHECK ((status = 'succeeded') = (captured_at IS NOT NULL)),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CHECK (batch_id IS NULL OR status = 'succeeded')
);
CREATE INDEX captures_by_payment ON captures (payment_id);
CREATE INDEX captures_by_reference ON captures (account, reference);
CREATE INDEX captures_to_settle ON captures (account, captured_at) WHERE status = 'succeeded' AND batch_id IS NULL;

INSERT INTO captures (id, account, payment_id, amount_minor, currency, status, created_at, captured_at, batch_id)
SELECT capture_reference, account, id, amount_minor, currency, 'succeeded', captured_at, captured_at, batch_id
  FROM payments WHERE status = 'captured';
UPDATE payments SET captured_minor = amount_minor, authorised_at = captured_at WHERE status = 'captured';
DROP INDEX payments_to_settle;
ALTER TABLE payments
  DROP COLUMN capture_reference,
  DROP COLUMN batch_id,
  ADD CHECK ((status = 'captured') <= (captured_at IS NOT NULL AND captured_minor > 0));
CREATE INDEX payments_to_dispute ON payments (dispute_due_at) WHERE dispute_due_at IS NOT NULL;

CREATE TABLE voids (
  id           text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account      text NOT NULL,
  payment_id   text NOT NULL REFERENCES payments,
  reference    text NOT NULL CHECK (length(reference) BETWEEN 1 AND 128),
  status       text NOT NULL CHECK (status IN ('succeeded', 'failed')),
  failure_code text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX voids_by_reference ON voids (account, reference);

CREATE TABLE saved_methods (
  id              text PRIMARY KEY CHECK (id ~ '^pm_[0-9A-Za-z]{22}$'),
  account         text NOT NULL,
  payer_reference text NOT NULL CHECK (length(payer_reference) BETWEEN 1 AND 128),
  scenario        text NOT NULL,
  brand           text NOT NULL,
  last4           text NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
  fingerprint     text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  forgotten_at    timestamptz
);

CREATE TABLE disputes (
  id              text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account         text NOT NULL,
  payment_id      text NOT NULL REFERENCES payments,
  reason          text NOT NULL,
  network_code    text NOT NULL,                       -- what the card network calls the reason
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  currency        text NOT NULL,
  status          text NOT NULL CHECK (status IN ('needs_response', 'under_review', 'won', 'lost')),
  evidence        jsonb NOT NULL DEFAULT '{}',
  opened_at       timestamptz NOT NULL DEFAULT now(),
  evidence_due_at timestamptz NOT NULL,
  submitted_at    timestamptz,
  due_at          timestamptz,                         -- when the clock moves it on: the deadline, or the bank's word
  closed_at       timestamptz,
  CHECK ((status IN ('won', 'lost')) = (closed_at IS NOT NULL))
);
CREATE INDEX disputes_by_payment ON disputes (payment_id);
CREATE INDEX disputes_due ON disputes (due_at) WHERE due_at IS NOT NULL;

-- What a dispute moves: out of the merchant's balance when it opens, back when it is won. For settlement to pick up.
CREATE TABLE dispute_movements (
  id           text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account      text NOT NULL,
  dispute_id   text NOT NULL REFERENCES disputes,
  payment_id   text NOT NULL REFERENCES payments,
  kind         text NOT NULL CHECK (kind IN ('chargeback', 'chargeback_reversed')),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency     text NOT NULL,
  moved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  batch_id     bigint REFERENCES settlement_batches,
  UNIQUE (dispute_id, kind)
);
CREATE INDEX dispute_movements_to_settle ON dispute_movements (account, moved_at) WHERE batch_id IS NULL;

-- A payer's transfer that is on its way to us.
CREATE TABLE transfers (
  id           text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account      text NOT NULL,
  payment_id   text NOT NULL REFERENCES payments,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  created_at   timestamptz NOT NULL DEFAULT now(),
  due_at       timestamptz                             -- NULL once it has arrived
);
CREATE INDEX transfers_due ON transfers (due_at) WHERE due_at IS NOT NULL;

ALTER TABLE faults
  ADD COLUMN error_after_charge_next integer NOT NULL DEFAULT 0 CHECK (error_after_charge_next >= 0),
  ADD COLUMN reorder_webhooks        integer NOT NULL DEFAULT 0 CHECK (reorder_webhooks BETWEEN 0 AND 1000);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
