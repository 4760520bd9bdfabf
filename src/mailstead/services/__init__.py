"""The services: thin asyncio around pure protocols and the post office."""
