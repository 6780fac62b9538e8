"""One table from MySQL into files; ``table`` chooses the way of reading, each of which is a module."""
