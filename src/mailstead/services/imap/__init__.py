"""IMAP on the wire: one coroutine per connection, and a file for each family of commands."""
