"""What a person reads when the work is done: one self-contained HTML page with previews."""
