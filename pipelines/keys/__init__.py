"""API keys, for the people of a merchant who make and end them."""
