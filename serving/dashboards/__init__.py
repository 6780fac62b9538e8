"""Dashboards as code: pages of the marts, each one file that opens from disk and asks no host for anything.

queries/       SQL computes: what a page needs, one file a query, shown on the page as it ran
pages.py       Python words: titles, ledes, which block shows what (words.py formats figures)
draw.js        JavaScript draws, one function a form; page.js keeps the state in the address,
               overview.js filters the cube
page.html      the shell, dashboards.css its style
"""
