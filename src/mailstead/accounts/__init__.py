"""The people who live here: who they are, how they get in, and the one door to their mail."""
