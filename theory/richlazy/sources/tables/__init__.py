"""What a table of text is: cells, columns, and whether they are edges, a matrix or a spectrum."""
