"""Dashboards as code: pages of the marts. Each page is one file that opens from disk and asks no host for anything.

``queries/``        SQL computes the figures of a page. One file is one query, shown on the page as it ran.
``pages.py``        Python words them: titles, ledes, the content of each block.
``words.py``        Formats figures as words.
``warehouse.py``    Reads the marts as one role, and the records.
``draw.js``         JavaScript draws, one function for each form.
``page.js``         Keeps the state of a page in its address.
``overview.js``     Filters the cube.
``explore.py``      Drawings for Explore, by Altair; ``explore.js`` puts the figures in.
``page.html``       The shell of a page.
``dashboards.css``  The style of a page.
"""
