import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { renderEvent, sealRecord } from '@countersign/audit';
import { bufferedBody } from '../src/stages/body/buffered-body.js';
import type { Authentication } from '../src/guard/authentication.js';
import { agentsFromObjects } from '../src/keys/agents-from-objects.js';
import { guarded, keyId, registrations, signedRequest } from './guarded.js';
import { keyPair } from './stages/chain/link-keys.js';

const suspended = keyPair();
const expired = keyPair();
const early = keyPair();
const unregistered = keyPair();
const agents = agentsFromObjects([
  ...registrations,
  { id: 'agent-suspended', status: 'suspended', jwk: suspended.jwk },
  { id: 'agent-expired', keys: [{ jwk: expired.jwk, expires: 1 }] },
  { id: 'agent-early', keys: [{ jwk: early.jwk, notBefore: 4_000_000_000 }] },
]);
const keyIds = [keyId, suspended.thumbprint, expired.thumbprint, early.thumbprint, unregistered.thumbprint, 'none'];

const times = (count: number, make: (at: number) => string): string[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** A request that covers these components besides the address, with an invalid signature. */
function garbled(keyid: string, covered: string, fields: readonly string[], target: string) {
  const now = Math.floor(Date.now() / 1000);
  const list = `"@method" "@authority" "@path" "@query" ${covered}`.trim();
  const parameters = `;created=${now};nonce="0123456789abcdef";keyid="${keyid}";tag="countersign"`;
  const signature = ['signature-input', `sig=(${list})${parameters}`, 'signature', `sig=:${'A'.repeat(86)}==:`];
  const rawHeaders = ['host', 'api.acme.dev', ...fields, ...signature];
  return { method: 'GET', target, rawHeaders, body: bufferedBody(new Uint8Array()) };
}

const long = fc.tuple(
  fc.array(fc.constantFrom('a', ',', ';', '=', '"', '\\"', '(', ')', ' ', '.', '%25', 'eyJ', '{', '[', ':AA==:', '=1')),
  fc.integer({ min: 0, max: 8000 }),
);
const text = long.map(([pieces, length]) => pieces.join('').repeat(2000).slice(0, length));
const covered = fc.constantFrom(
  '',
  '"x"',
  '"x";sf',
  '"x";bs',
  '"content-digest";sf',
  '"absent"',
  '"@query-param";name="a"',
  times(50, (at) => `"x";key="${String.fromCharCode(97 + (at % 26))}${at}"`).join(' '),
  '"x";key="a"',
  '"authorization"',
);
const token = fc.oneof(
  text.map((payload) => ['authorization', `Bearer e30.${Buffer.from(payload).toString('base64url')}.e30`]),
  text.map((value) => ['authorization', `Bearer ${value}`]),
  fc.constant([]),
);
const query = text.map((value) => `/?a=${encodeURI(value)}`.slice(0, 8000));
const shape = fc.tuple(covered, text, text, token, query);

describe('A stranger', () => {
  it('gets the same answer for every key that it names without holding it [I5]', async () => {
    const { guard, audit } = await guarded({ agents });
    await fc.assert(
      fc.asyncProperty(shape, async ([list, x, digest, authorization, target]) => {
        const fields = ['x', x, 'content-digest', digest, ...authorization];
        const answers = new Set<string>();
        for (const keyid of keyIds)
          answers.add(answerOf(await guard.authenticate(garbled(keyid, list, fields, target))));
        expect(answers.size).toBe(1);
      }),
    );
    expect(new Set(audit.records.map(({ code }) => code))).toContain('key_unknown');

    function answerOf(answer: Authentication): string {
      return answer.ok ? 'let in' : JSON.stringify(guard.respond(answer.refusal));
    }
  });

  it('causes bounded work, one lookup and a short record [I2, I4, I6]', async () => {
    const { guard, audit } = await guarded({ agents });
    const lookups = vi.spyOn(agents, 'findByThumbprint');
    let lookedUp = 0;
    await fc.assert(
      fc.asyncProperty(shape, fc.constantFrom(...keyIds), async ([list, x, digest, authorization, target], keyid) => {
        const request = garbled(keyid, list, ['x', x, 'content-digest', digest, ...authorization], target);
        lookups.mockClear();
        const before = audit.records.length;
        const patterns = vi.spyOn(RegExp.prototype, 'exec');
        const answer = await guard.authenticate(request);
        const work = patterns.mock.calls.length;
        patterns.mockRestore();
        expect(answer.ok).toBe(false);
        // Each token of a structured field, and each mark in the JSON of a token, is one execution of a pattern.
        const marks = authorization.join('').length;
        expect(work).toBeLessThan(4000 + marks);
        expect(lookups.mock.calls.length).toBeLessThanOrEqual(1);
        lookedUp += lookups.mock.calls.length;
        expect(audit.records).toHaveLength(before + 1);
        const record = audit.records[before];
        const line = record && sealRecord(before, renderEvent(record), 'f'.repeat(64));
        expect(Buffer.byteLength(line ?? '')).toBeLessThanOrEqual(1100);
      }),
    );
    expect(lookedUp).toBeGreaterThan(0);
  });

  it.each([
    ['suspended', suspended, 'agent_suspended'],
    ['over', expired, 'key_not_valid'],
    ['early', early, 'key_not_valid'],
  ])('that signs with its own key learns that it is %s', async (_what, pair, code) => {
    const { guard } = await guarded({ agents });
    const request = await signedRequest(undefined, {}, undefined, {
      privateKey: pair.privateKey,
      keyId: pair.thumbprint,
    });
    expect(await guard.authenticate(request)).toMatchObject({ ok: false, refusal: { code } });
  });
});
