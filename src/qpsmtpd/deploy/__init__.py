"""Deployment: who owns the processes, and where clients come from."""
