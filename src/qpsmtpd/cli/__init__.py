"""The command ``qpsmtpd``: a module for each group of subcommands."""
