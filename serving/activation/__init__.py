"""What the warehouse knows of customers, sent to the CRM in which people work: segment, score, flags.

push.py     what differs from what was sent, and its way to the CRM
state.py    what was sent, what was refused, and the audit
"""
