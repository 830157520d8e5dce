"""What a type annotation means, for the two that need to know: JSON schemas and answers.

`annotations.kind_of` turns an annotation into one of the kinds of `kinds`; each kind has a JSON
schema and reads the JSON values that the schema allows, so the two directions cannot differ.
"""
