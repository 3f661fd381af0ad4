"""The command line: flags, log lines, exit statuses."""
