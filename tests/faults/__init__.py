"""All or nothing: every scenario lands, changes the source, breaks a landing at one point and runs it once more.

``stoppable``  a landing in a process of its own that stops at a named point and waits
``shop``       the tables, what changes in them, and the comparisons: by readers that share no code with the landing
"""
