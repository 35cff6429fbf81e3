"""One block of the demo per domain: what it shows of a region, and what it checks."""
