"""POP3 as it is served."""
