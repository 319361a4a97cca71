"""What moves a session's bytes: one driver for event loops, one for blocking descriptors."""
