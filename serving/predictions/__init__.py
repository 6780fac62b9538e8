"""Which customers buy again within 90 days: a model that can be traced, and its scores.

model.py    what the model looks at, and its file; scoring needs nothing but this
train.py    learning, judging and the card; needs scikit-learn
score.py    scores of the last month end, the drift of its inputs, one customer
"""
