-- Keys that may do less: publishable and restricted ones, with an end, an allow-list of networks, and a pinned version of the API.
ALTER TABLE api_keys
  ADD COLUMN kind text NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'publishable', 'restricted')),
  ADD COLUMN name text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
  ADD COLUMN scopes text[] NOT NULL DEFAULT '{}',        -- of a restricted key; the others' follow from their kind
  ADD COLUMN allowed_networks cidr[] NOT NULL DEFAULT '{}', -- empty: any
  ADD COLUMN expires_at timestamptz,
  ADD COLUMN api_version text CHECK (api_version ~ '^\d{4}-\d\d-\d\d$'), -- NULL: the first there was
  ADD COLUMN rolled_from text REFERENCES api_keys ON DELETE SET NULL,    -- the key whose place it takes
  ADD CHECK ((kind = 'restricted') = (scopes <> '{}')),
  ADD CHECK (cardinality(allowed_networks) <= 50);
CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, livemode, created_at DESC, id DESC);
CREATE INDEX api_keys_rolled ON api_keys (rolled_from) WHERE rolled_from IS NOT NULL;

GRANT SELECT (kind, name, scopes, allowed_networks, expires_at, api_version, rolled_from) ON api_keys TO web, reader, retention;
GRANT INSERT (id, merchant_id, livemode, hash, prefix, created_at, kind, name, scopes, allowed_networks, expires_at, api_version,
              rolled_from), UPDATE (name, allowed_networks, expires_at, revoked_at) ON api_keys TO web;
GRANT SELECT (kind, scopes, allowed_networks, expires_at, api_version) ON api_keys TO tenant_lookup;

-- The console shows keys to owners and developers, never a hash.
CREATE POLICY console ON api_keys FOR SELECT TO console USING (merchant_id = current_merchant() OR sees_region());
GRANT SELECT (id, merchant_id, livemode, prefix, created_at, revoked_at, last_used_at, kind, name, scopes, allowed_networks,
              expires_at, api_version, rolled_from) ON api_keys TO console;

-- The door from a key's hash: open keys only, with what they may do.
DROP FUNCTION tenant_of_key(bytea);
CREATE FUNCTION tenant_of_key(p_hash bytea)
  RETURNS TABLE (key_id text, merchant_id text, livemode boolean, kind text, scopes text[], allowed_networks cidr[], api_version text)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp
  AS $$ SELECT k.id, k.merchant_id, k.livemode, k.kind, k.scopes, k.allowed_networks, k.api_version FROM public.api_keys AS k
         WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) $$;
REVOKE EXECUTE ON FUNCTION tenant_of_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_key(bytea) TO web;

-- Events, as their merchant may read them: never the ciphertext of a payer's details.
CREATE INDEX outbox_by_merchant ON outbox (merchant_id, id);
GRANT SELECT (id, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, data) ON outbox TO web;
GRANT EXECUTE ON FUNCTION outbox_floor(timestamptz) TO web;

GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION tenant_of_key(bytea) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
