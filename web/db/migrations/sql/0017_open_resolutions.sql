-- A line may be in the platform's own books and be matched by hand in a merchant's: what is being resolved is asked across tenants.
CREATE POLICY lookup ON recon_decisions FOR SELECT TO tenant_lookup USING (true);
GRANT SELECT (line_id, item_id) ON recon_resolutions TO tenant_lookup;
GRANT SELECT (resolution_id, decision) ON recon_decisions TO tenant_lookup;
CREATE FUNCTION open_resolutions(p_names text[]) RETURNS TABLE (resolution_id text, merchant_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT r.id, r.merchant_id FROM public.recon_resolutions AS r
         WHERE (r.line_id = ANY(p_names) OR r.item_id = ANY(p_names))
           AND NOT EXISTS (SELECT FROM public.recon_decisions AS d
                            WHERE d.resolution_id = r.id AND d.decision IN ('rejected', 'reopened')) $$;
REVOKE EXECUTE ON FUNCTION open_resolutions(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_resolutions(text[]) TO web;
CREATE INDEX recon_resolutions_by_line ON recon_resolutions (line_id) WHERE line_id IS NOT NULL;
CREATE INDEX recon_resolutions_by_item ON recon_resolutions (item_id) WHERE item_id IS NOT NULL;

-- Last, because giving a function away gives up the right to grant it.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION open_resolutions(text[]) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
