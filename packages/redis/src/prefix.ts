import { ConfigError } from '@countersign/common';

/** @throws ConfigError */
export function readPrefix(owner: string, prefix: unknown = 'countersign'): string {
  if (typeof prefix === 'string' && /^[\w.:-]{1,100}$/.test(prefix)) return prefix;
  throw new ConfigError(`${owner}: 'prefix' must be 1 to 100 letters, digits and any of _ . : -`);
}
