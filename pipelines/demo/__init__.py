"""Simulated merchants and payers that trade over HTTP, and the page that says whether every number agrees."""
