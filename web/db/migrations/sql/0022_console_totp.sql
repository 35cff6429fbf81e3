-- People sign in to the console with a password (argon2id) and a one-time code.
ALTER TABLE console_users
  DROP CONSTRAINT console_users_password_hash_check,
  ADD CONSTRAINT console_users_password_hash_check CHECK (password_hash LIKE '$argon2id$%' OR password_hash LIKE 'scrypt$%'),
  ADD COLUMN totp_sealed bytea,                         -- AES-256-GCM under the console's key; NULL: no one-time codes
  ADD COLUMN totp_step bigint;                          -- of the last code that was taken: each opens once
GRANT SELECT (totp_sealed, totp_step) ON console_users TO console;
GRANT UPDATE (totp_step) ON console_users TO console;
GRANT SELECT (totp_step) ON console_users TO retention;

SET LOCAL ROLE tenant_lookup;
GRANT EXECUTE ON FUNCTION audit_write() TO owner;        -- what later migrations need for their own tables' triggers
RESET ROLE;
DROP TRIGGER audit_insert ON console_users;
DROP TRIGGER audit_update ON console_users;
DROP TRIGGER audit_delete ON console_users;
SELECT audit_table('console_users', '{email,password_hash,totp_sealed}', '{totp_step}');

SELECT audit_table('payout_settings', '{account_sealed,account_last4}', '{}', '{merchant_id,currency,livemode}');
SELECT audit_table('payout_batches', '{file_sealed}');
SELECT audit_table('payouts');
