"""mailstead: the mail server that cannot read your mail."""
