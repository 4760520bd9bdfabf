"""As much HTTP as a question for numbers needs: one request a connection, without I/O."""
