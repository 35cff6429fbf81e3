-- The simulated PSP's own database. Card data is never stored: only brand, last four digits and a keyed fingerprint.
-- Each file here is applied once, in its own transaction, by `python -m web.sandbox.provision`, which then writes its number.

CREATE TABLE schema_version (
  version    integer NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- The claim is inserted by the transaction that does the work, so a second request with the key waits for the first
-- one's commit and then finds its answer; if the first one dies, its claim dies with it.
CREATE TABLE idempotency_keys (
  account         text NOT NULL,
  key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32), -- SHA-256 of method, path and canonical body
  response_status smallint CHECK (response_status BETWEEN 200 AND 299),
  response_body   text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, key)
);

CREATE TABLE tokens (
  id          text PRIMARY KEY CHECK (id ~ '^tok_[0-9A-Za-z]{22}$'), -- at least 128 random bits: it may be charged once
  account     text NOT NULL,
  scenario    text NOT NULL,                           -- what this test card does
  brand       text NOT NULL,
  last4       text NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
  fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{32}$'),
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  used_at     timestamptz
);

CREATE TABLE payments (
  id                text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account           text NOT NULL,
  reference         text NOT NULL CHECK (length(reference) BETWEEN 1 AND 128), -- the merchant's attempt id; not unique, as at any PSP
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  status            text NOT NULL CHECK (status IN ('captured', 'declined', 'requires_action', 'pending')),
  decline_code      text,
  three_ds          text NOT NULL CHECK (three_ds IN ('auto', 'force', 'none')),
  return_url        text,
  action_kind       text CHECK (action_kind IN ('three_ds', 'redirect')),
  action_id         text NOT NULL UNIQUE,              -- the unguessable part of the action's URL
  scenario          text,                              -- these four are NULL until a card is known
  brand             text,
  last4             text CHECK (last4 ~ '^[0-9]{4}$'),
  fingerprint       text,
  capture_reference text UNIQUE CHECK (capture_reference ~ '^[1-9][0-9]{15}$'),
  created_at        timestamptz NOT NULL DEFAULT now(),
  due_at            timestamptz,                       -- when the clock moves it on: an action expires, a pending capture lands
  captured_at       timestamptz,
  batch_id          bigint,
  CHECK ((status = 'captured') = (captured_at IS NOT NULL AND capture_reference IS NOT NULL)),
  CHECK ((status = 'declined') = (decline_code IS NOT NULL)),
  CHECK ((status = 'requires_action') <= (action_kind IS NOT NULL)),
  CHECK (batch_id IS NULL OR status = 'captured')
);
CREATE INDEX payments_by_reference ON payments (account, reference);
CREATE INDEX payments_to_settle ON payments (account, captured_at) WHERE status = 'captured' AND batch_id IS NULL;
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE refunds (
  id           text PRIMARY KEY CHECK (id ~ '^[1-9][0-9]{15}$'),
  account      text NOT NULL,
  payment_id   text NOT NULL REFERENCES payments,
  reference    text NOT NULL CHECK (length(reference) BETWEEN 1 AND 128), -- the merchant's refund id
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency     text NOT NULL,
  status       text NOT NULL CHECK (status IN ('succeeded', 'pending', 'failed')),
  failure_code text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  due_at       timestamptz,                            -- when the clock finishes a pending refund
  succeeded_at timestamptz,
  batch_id     bigint,
  CHECK ((status = 'succeeded') = (succeeded_at IS NOT NULL)),
  CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CHECK (batch_id IS NULL OR status = 'succeeded')
);
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_by_reference ON refunds (account, reference);
CREATE INDEX refunds_to_settle ON refunds (account, succeeded_at) WHERE status = 'succeeded' AND batch_id IS NULL;
CREATE INDEX refunds_due ON refunds (due_at) WHERE due_at IS NOT NULL;

-- Written in the transaction of the change that it tells about; sent at least once by `python -m web.sandbox.sender`.
CREATE TABLE webhook_events (
  id              text PRIMARY KEY,
  account         text NOT NULL,
  type            text NOT NULL,
  body            text NOT NULL,                       -- the exact bytes that are signed and sent
  created_at      timestamptz NOT NULL DEFAULT now(),
  send_after      timestamptz NOT NULL DEFAULT now(),  -- also the lease of a delivery in flight; infinity once delivered
  tries           integer NOT NULL DEFAULT 0,
  duplicates_left integer NOT NULL DEFAULT 0 CHECK (duplicates_left >= 0),
  last_error      text,
  delivered_at    timestamptz
);
CREATE INDEX webhook_events_due ON webhook_events (send_after) WHERE send_after < 'infinity';

CREATE TABLE settlement_batches (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account       text NOT NULL,
  batch_number  integer NOT NULL CHECK (batch_number >= 1),
  business_date date NOT NULL,
  line_count    integer NOT NULL,
  answer_key    jsonb NOT NULL DEFAULT '[]',           -- the planted errors
  closed_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (account, batch_number)
);
CREATE INDEX settlement_batches_by_date ON settlement_batches (account, business_date);
ALTER TABLE payments ADD FOREIGN KEY (batch_id) REFERENCES settlement_batches;
ALTER TABLE refunds ADD FOREIGN KEY (batch_id) REFERENCES settlement_batches;

-- What the report says, planted errors included. Signed minor units: credit positive, debit negative; a batch sums to zero per currency.
CREATE TABLE settlement_lines (
  batch_id                        bigint NOT NULL REFERENCES settlement_batches,
  line                            integer NOT NULL CHECK (line >= 1),
  type                            text NOT NULL CHECK (type IN ('Settled', 'Refunded', 'Fee', 'MerchantPayout')),
  psp_reference                   text NOT NULL DEFAULT '',
  merchant_reference              text NOT NULL DEFAULT '',
  payment_method                  text NOT NULL DEFAULT '',
  variant                         text NOT NULL DEFAULT '',
  created_at                      timestamptz NOT NULL,
  modification_reference          text NOT NULL DEFAULT '',
  modification_merchant_reference text NOT NULL DEFAULT '',
  gross_currency                  text,
  gross_minor                     bigint,
  net_currency                    text NOT NULL,
  net_minor                       bigint NOT NULL,
  commission_minor                bigint NOT NULL DEFAULT 0,
  markup_minor                    bigint NOT NULL DEFAULT 0,
  scheme_minor                    bigint NOT NULL DEFAULT 0,
  interchange_minor               bigint NOT NULL DEFAULT 0,
  booked_at                       timestamptz NOT NULL,
  PRIMARY KEY (batch_id, line),
  CHECK (gross_minor IS NULL OR net_minor = gross_minor - commission_minor - markup_minor - scheme_minor - interchange_minor)
);

-- Misbehaviour on demand, per account.
CREATE TABLE faults (
  account                   text PRIMARY KEY,
  latency_ms                integer NOT NULL DEFAULT 0 CHECK (latency_ms BETWEEN 0 AND 30000),
  timeout_after_charge_next integer NOT NULL DEFAULT 0 CHECK (timeout_after_charge_next >= 0),
  duplicate_webhooks        integer NOT NULL DEFAULT 0 CHECK (duplicate_webhooks >= 0),
  webhook_delay_ms          integer NOT NULL DEFAULT 0 CHECK (webhook_delay_ms BETWEEN 0 AND 3600000),
  webhook_jitter_ms         integer NOT NULL DEFAULT 0 CHECK (webhook_jitter_ms BETWEEN 0 AND 3600000),
  down_until                timestamptz
);
