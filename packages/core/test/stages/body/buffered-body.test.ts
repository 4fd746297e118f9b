import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bufferedBody } from '../../../src/stages/body/buffered-body.js';
import { limits } from './limits.js';

describe('bufferedBody', () => {
  const bytes = Buffer.from('{"title":"x"}');

  it('digests what it was given, under each algorithm asked for', async () => {
    const held = await bufferedBody(bytes).hold(limits({ maxBytes: 100 }), ['sha-256', 'sha-512']);
    expect(held).toMatchObject({ ok: true, length: bytes.length });
    if (!held.ok) return;
    expect(held.digests.get('sha-256')).toEqual(createHash('sha256').update(bytes).digest());
    expect(held.digests.get('sha-512')).toEqual(createHash('sha512').update(bytes).digest());
    expect(held.digests.size).toBe(2);
  });

  it('refuses more than the limit [G4]', async () => {
    expect(await bufferedBody(bytes).hold(limits({ maxBytes: 12 }), [])).toMatchObject({
      ok: false,
      code: 'body_too_large',
    });
    expect(await bufferedBody(bytes).hold(limits({ maxBytes: 13 }), [])).toMatchObject({ ok: true });
  });
});
