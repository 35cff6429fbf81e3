-- Finance reads issued invoices on the console, and prints them as their merchants have their pages look.
CREATE POLICY console ON invoices FOR SELECT TO console USING (merchant_id = current_merchant() OR sees_region());
GRANT SELECT ON invoices TO console;
GRANT SELECT (country, branding, logo) ON merchants TO console;
