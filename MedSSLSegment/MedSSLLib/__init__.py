"""What both modules of MedSSL in 3D Slicer share: the engine, the sections of the panels, scene and files.

A section is two files: `<name>_logic.py` holds its state and knows no widgets, `<name>_view.py` shows it.
"""
