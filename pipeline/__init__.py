"""The main job: clean photos and report on them. ``docs/architecture.md`` describes the rooms."""
