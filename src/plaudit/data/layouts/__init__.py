"""One file per layout: recognise a row, parse it, write it back."""
