import { Digester } from './digester.js';
import type { RequestBody } from './request-body.js';

/**
 * A body that is already here whole: for tests, and for hosts that hand over complete bodies (a lambda, a queue).
 * The bytes must be those of the wire, before any decoding. Nothing is held back, so what reads the body afterwards
 * must be called only when the guard let the request in.
 *
 * @example
 * const body = bufferedBody(Buffer.from('{"title":"x"}'));
 */
export function bufferedBody(bytes: Uint8Array): RequestBody {
  return {
    async hold({ maxBytes }, algorithms) {
      if (bytes.length > maxBytes) {
        return { ok: false, code: 'body_too_large', detail: `${bytes.length} bytes, at most ${maxBytes} are allowed` };
      }
      const digester = new Digester(algorithms);
      digester.update(bytes);
      return { ok: true, length: bytes.length, digests: digester.finish() };
    },
    release: () => {},
    discard: () => {},
  };
}
