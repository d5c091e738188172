"""The pytest plugin. It is loaded by every run of pytest where upspace is installed, so it imports nothing early."""
