"""The routes' handlers, by what they serve; `models/server/app.py` gives them their paths."""
