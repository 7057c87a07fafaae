"""Measurements behind the figures of the README, one script per question; every figure stands beside a baseline."""
