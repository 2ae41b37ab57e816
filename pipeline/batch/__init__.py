"""Runs over folders: plan, resume, engines, journal, output folders."""
