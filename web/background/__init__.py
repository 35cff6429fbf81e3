"""The work that the worker does on business tables, one module per kind; each step is one unit that may be repeated."""
