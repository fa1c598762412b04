"""Values become terminal text, JSON, SVG and HTML here; the only room that escapes."""
