"""Who signs: signatures, credentials, and the services that hand them out."""
