import { acceptSignature } from '../possession/profile.js';
import { refusal } from '../../model/refusal.js';
import { refusalResponse } from '../../model/refusal-response.js';
import { RefusalError } from '../../model/refusal-error.js';
import type { BodyFailure } from '../../model/request-body.js';

/** What the reader of a body gets instead of its end. Its `status`, `code` and `headers` are those of the refusal. */
export function bodyError({ code, detail }: BodyFailure): RefusalError {
  const refused = refusal(code, detail);
  return new RefusalError(refused, refusalResponse(refused, acceptSignature));
}
