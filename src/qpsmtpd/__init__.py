"""qpsmtpd: the programmable front door for mail."""

__version__ = "2.0.0.dev0"
__all__ = ["__version__"]
