"""Files to arrays with their geometry, and back."""
