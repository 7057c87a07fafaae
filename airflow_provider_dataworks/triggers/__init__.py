"""See the module named dataworks in this folder."""
