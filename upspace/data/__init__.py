"""What goes into a store in bulk: records of accounts, and the synthetic community."""
