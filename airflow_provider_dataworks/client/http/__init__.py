"""How requests travel: session, exchange, rate limiter, and what answers say."""
