"""Redis for tests of runs."""

from tests.redis import no_redis, redis_server, redis_url

__all__ = ["no_redis", "redis_server", "redis_url"]
