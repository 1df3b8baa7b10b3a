"""The server and its MongoDB killed in the middle of work: what was answered is there, nothing is there by half."""
