"""The search index of an account's mail: terms, segments, and what they say to a search; pure.

docs/search.md tells how it works, docs/format.md, "Segments", how it is laid out.
"""
