"""The contract: bytes to typed values and back, exactly as docs/contract.md says. No I/O."""
