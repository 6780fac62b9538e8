"""One table from MySQL into files. Each way of reading is a module; ``table`` chooses one."""
