"""Pages for a browser: one file a page, its template beside it; `frame` is what they share. They read no folder."""
