import { ConfigError } from '../config-error.js';
import { isLoopback } from '../http/origin.js';

/** Where records or checkpoints are sent: https, or loopback. Credentials in an address end up in logs. */
export function parseReceiverAddress(owner: string, address: string, dangerouslyAllowHttp: boolean): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '') {
    throw new ConfigError(`${owner}: the address must be a URL without credentials in it.`);
  }
  const isAllowedHttp = url.protocol === 'http:' && (dangerouslyAllowHttp || isLoopback(url.hostname));
  if (url.protocol === 'https:' || isAllowedHttp) return url;
  throw new ConfigError(
    `${owner}: the address must begin with https://.` +
      (url.protocol === 'http:'
        ? ' On a network that nobody else can read, `dangerouslyAllowHttp: true` allows http.'
        : ''),
  );
}
