"""What is to be done: line formats, reading, fingerprints. Nothing here knows what has been done, or sends anything."""
