"""A finished run, for people: one-file HTML (`html`) and terminal tables (`tables`)."""
