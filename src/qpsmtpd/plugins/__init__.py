"""The bundled plugins, under the names qpsmtpd gave them: one file each, its manual inside."""
