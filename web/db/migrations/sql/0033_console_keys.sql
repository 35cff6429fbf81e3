-- Who may make, roll and revoke a merchant's API keys on the console: its owners and developers, and the platform's.
CREATE FUNCTION key_user(p_id text, p_merchant text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = public, pg_temp
  AS $$ SELECT u.id FROM public.console_users AS u JOIN public.merchants AS m ON m.id = p_merchant
         WHERE u.id = p_id AND (u.merchant_id IS NULL OR u.merchant_id = m.id) AND u.role IN ('owner', 'developer')
           AND u.disabled_at IS NULL $$;
REVOKE EXECUTE ON FUNCTION key_user(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_user(text, text) TO web;
