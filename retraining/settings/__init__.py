"""What can be set: defaults, rules and meanings."""
