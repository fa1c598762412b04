"""One file per command: flags in, the room's function called, the result printed."""
