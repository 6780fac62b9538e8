"""What is made of the star schema for people and programs. Each folder stands alone; nothing else reads from here."""
