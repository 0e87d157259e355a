"""Answers of real AWS, and how to bring the local one into the situations that they are from."""
