"""Layers in AWS."""
