"""Looking for values in every store, raw and decoded. A search that cannot find what is there proves nothing."""
