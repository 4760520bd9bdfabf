"""Mail coming in: it is seen here, sealed here, and cannot be opened here."""
