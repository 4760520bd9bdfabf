"""The doorbell between processes: "something changed for account 7", and nothing of what."""
