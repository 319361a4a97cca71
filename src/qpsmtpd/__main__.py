"""``python -m qpsmtpd`` is the command ``qpsmtpd``."""

from qpsmtpd.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
