"""Data as other software lays it out."""
