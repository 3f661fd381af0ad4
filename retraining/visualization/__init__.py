"""Pictures of what a network sees: feature maps and Deep Dream."""
