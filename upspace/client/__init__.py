"""A client of the contract, for any base URL."""
