"""Hidden states at the read points become scores."""
