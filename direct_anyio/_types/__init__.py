"""What type annotations mean: the JSON schema of a type, and the reading of its values.

`annotations.kind_of` turns an annotation into one of the kinds of `kinds`; each kind has a JSON
schema and reads the JSON values that the schema allows, so the two directions cannot differ.
"""
