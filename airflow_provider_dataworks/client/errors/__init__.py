"""What went wrong and what to do about it: codes and the catalogue of errors."""
