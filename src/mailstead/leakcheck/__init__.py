"""The leak check: mail full of canaries for an account that is thrown away, and a search for them."""
