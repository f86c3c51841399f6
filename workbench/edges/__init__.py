"""Edges of a model: what its sources write, what its destinations read, scores of edges, and runs of circuits."""
