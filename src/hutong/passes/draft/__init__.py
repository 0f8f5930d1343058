"""Rules before they are published: what they say and do, told in one form for rulebooks, crosswalks and scenes."""
