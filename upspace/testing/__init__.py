"""For people who test their own programs: the service as a fixture, with the accounts and faults a test needs."""
