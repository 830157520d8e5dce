"""Pure machinery: bytes and items in, items and events out; nothing here waits."""
