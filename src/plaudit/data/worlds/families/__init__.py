"""Task families of the text world, one file each: `make(draw) -> Task`."""
