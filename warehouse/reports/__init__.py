"""Reports for finance: what each asks of a published build, and how its rows become a file."""
