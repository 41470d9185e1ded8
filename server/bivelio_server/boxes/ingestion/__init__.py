"""From a file to what is searched: pages, chunks, vectors and a segment of the box's index."""
