"""What the program takes in time and memory, measured against what this machine can do."""
