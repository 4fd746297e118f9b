import { bodyFailure, type RequestBody } from '../../model/request-body.js';
import { Digester, digestFailure } from './digester.js';

/**
 * A body that is already here whole: for tests, and for hosts that hand over complete bodies (a lambda, a queue).
 * The bytes must be those of the wire, before any decoding. Nothing is held back, so the reader of the body must be called
 * only when the guard let the request in.
 *
 * @example
 * const body = bufferedBody(Buffer.from('{"title":"x"}'));
 */
export function bufferedBody(bytes: Uint8Array): RequestBody {
  return {
    accept({ maxBytes }, expected) {
      if (bytes.length > maxBytes) {
        return bodyFailure('body_too_large', `${bytes.length} bytes, at most ${maxBytes} are allowed`);
      }
      const digester = new Digester(expected.keys());
      digester.update(bytes);
      return digestFailure(expected, digester.finish());
    },
    release: () => {},
    discard: () => undefined,
  };
}
