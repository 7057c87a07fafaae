"""Measurements behind the page of costs, one script per question; every figure stands beside a baseline."""
