import { LruCache } from '@countersign/common';

/**
 * Forgets every verified token, link and session, every agent of a database and every decision, as soon as it is
 * remembered: with COUNTERSIGN_UNCACHED=1 the scenarios must have the same outcomes as with these caches.
 */
LruCache.prototype.get = () => undefined;
