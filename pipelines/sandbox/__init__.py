"""The simulated PSP from outside: its control endpoints, by hand and for the demo."""
