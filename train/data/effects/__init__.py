"""Pictures of objects with shadows and reflections that are known: the data of object-effects."""
