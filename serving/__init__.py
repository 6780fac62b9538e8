"""Products of the star schema for people and programs. Each folder stands alone, and nothing else reads from here."""
