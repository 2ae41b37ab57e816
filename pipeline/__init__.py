"""The main job: photos in, photos without the objects and a report out. ``docs/architecture.md`` names the rooms."""
