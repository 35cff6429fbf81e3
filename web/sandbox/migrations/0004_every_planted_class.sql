-- Lines that only a planted error makes: chargebacks that nobody announced, a type that nobody knows, exchanged amounts.

ALTER TABLE settlement_lines DROP CONSTRAINT settlement_lines_type_check;
ALTER TABLE settlement_lines ADD CHECK (
  type IN ('Settled', 'Refunded', 'Fee', 'MerchantPayout', 'Chargeback', 'Enchantment')
);
ALTER TABLE settlement_lines ADD COLUMN exchange_rate text NOT NULL DEFAULT '1';
