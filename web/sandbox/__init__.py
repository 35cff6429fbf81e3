"""The simulated PSP: a process and a database of its own. It imports the shared kernel and nothing else of ours."""
