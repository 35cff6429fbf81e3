-- A won dispute's money comes back in a line of its own.

ALTER TABLE settlement_lines DROP CONSTRAINT settlement_lines_type_check;
ALTER TABLE settlement_lines ADD CHECK (
  type IN ('Settled', 'Refunded', 'Fee', 'MerchantPayout', 'Chargeback', 'ChargebackReversed', 'Enchantment')
);
