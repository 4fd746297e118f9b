import type { Server } from 'node:http';
import type { Express } from 'express';
import request, { type Test } from 'supertest';
import { host, key } from '../../../test/support/guarded.js';
import { type SignedRequestOptions, signedRequest } from '../../../test/support/signed-request.js';

export { agentId, type Guarded, guarded, host, key } from '../../../test/support/guarded.js';

/** Sends a signed request to an app. */
export function call(app: Express | Server, options: Partial<SignedRequestOptions> = {}): Test {
  const { method, target, fields, body } = signedRequest({ key, host, target: '/', ...options });
  const test = request(app)[method.toLowerCase() as 'get' | 'post'](target);
  for (const [name, value] of fields) if (name !== 'Content-Length') test.set(name, value);
  return body.length > 0 ? test.send(body.toString()) : test;
}
