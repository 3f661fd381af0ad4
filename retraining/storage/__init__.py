"""Files that are written completely or not at all, and arrays that are too large for memory."""
