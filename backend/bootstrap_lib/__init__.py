"""Make an environment for MedSSL and run a command in it (standard library only)."""
