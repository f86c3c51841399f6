"""Channels between heads: what one head writes and a later head reads, from the weights, and interventions on them."""
