import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bufferedBody } from '../../../src/stages/body/buffered-body.js';
import { limits } from './limits.js';

describe('bufferedBody', () => {
  const bytes = Buffer.from('{"title":"x"}');

  it.each(['sha-256', 'sha-512'] as const)('is accepted only if its %s matches', async (algorithm) => {
    const digest = (of: Buffer) => new Map([[algorithm, createHash(algorithm.replace('-', '')).update(of).digest()]]);
    expect(await bufferedBody(bytes).accept(limits(), digest(bytes))).toBeUndefined();
    expect(await bufferedBody(bytes).accept(limits(), digest(Buffer.from('{}')))).toMatchObject({
      code: 'digest_mismatch',
      detail: algorithm,
    });
  });

  it('is refused when it is larger than the limit [G4]', async () => {
    const none = new Map();
    expect(await bufferedBody(bytes).accept(limits({ maxBytes: 12 }), none)).toMatchObject({ code: 'body_too_large' });
    expect(await bufferedBody(bytes).accept(limits({ maxBytes: 13 }), none)).toBeUndefined();
  });
});
