import { expect, it, vi } from 'vitest';
import type { AuditRecord, RefusalCode } from '@countersign/core';
import { type Api, onEverySetup } from '../support/api.js';
import { patiently } from '../support/patiently.js';
import { type RawRequest, tampered } from '../support/signed-request.js';
import { reviewerId, runner, stranger } from '../support/world.js';

const body = '{"title":"x"}';
const other = '{"title":"y"}';

/** Sends a request that goes on in spite of a refusal, and waits for its records. */
async function goesOn(
  api: Api,
  request: RawRequest,
  expected: { readonly status: number; readonly code: RefusalCode; readonly phase: AuditRecord['phase'] },
): Promise<{ readonly answer: unknown; readonly records: readonly AuditRecord[] }> {
  const { status, code, phase } = expected;
  const before = api.records.length;
  const handled = api.running.handled.length;
  const response = await api.send(request);
  expect({ status: response.status, body: response.body }).toMatchObject({ status });
  expect(api.running.handled.length - handled, 'the handler ran once').toBe(1);
  const wanted = phase === 'decision' ? 2 : 1;
  const records = await vi.waitFor(() => {
    const gained = api.records.slice(before);
    expect(gained).toHaveLength(wanted);
    return gained;
  }, patiently);
  expect(records[0]).toMatchObject({ phase, decision: 'would_refuse', code });
  if (phase === 'decision') expect(records[1]).toMatchObject({ phase: 'outcome', outcome: { status } });
  return { answer: response.body === '' ? undefined : JSON.parse(response.body), records };
}

onEverySetup(
  'A guard that observes',
  (api) => {
    const unverified: readonly (readonly [string, () => Promise<RawRequest>, RefusalCode])[] = [
      [
        'no signature',
        async () => tampered(await api.pull({}, { body }), { fields: { signature: null, 'signature-input': null } }),
        'signature_required',
      ],
      [
        'a changed type',
        async () =>
          tampered(await api.pull({}, { body }), { fields: { 'content-type': 'application/json; charset=utf-8' } }),
        'signature_invalid',
      ],
      ['a signature of a stranger', () => api.pull({}, { body, key: stranger }), 'key_unknown'],
      [
        'a changed body',
        async () => tampered(await api.pull({}, { body }), { body: Buffer.from(other) }),
        'digest_mismatch',
      ],
      ['no digest', () => api.pull({}, { body, digest: null }), 'digest_required'],
      ['a token of nobody', () => api.pull({ iss: 'https://id.nobody.example' }, { body }), 'token_issuer_unknown'],
    ];
    for (const [title, make, code] of unverified) {
      it(`lets ${title} go on without a caller, with its body as it came`, async () => {
        const request = await make();
        const { answer, records } = await goesOn(api, request, { status: 201, code, phase: 'authentication' });
        expect(answer).not.toHaveProperty('actor');
        if (api.bodyParser === 'after') expect(answer).toMatchObject({ body: JSON.parse(String(request.body)) });
        expect(records[0]).not.toHaveProperty('actor');
      });
    }

    it('lets a replayed request go on without a caller', async () => {
      const request = await api.pull({}, { body });
      await api.accepts(request, 201);
      const { answer } = await goesOn(api, request, {
        status: 201,
        code: 'signature_replayed',
        phase: 'authentication',
      });
      expect(answer).not.toHaveProperty('actor');
    });

    it('lets a verified request that policy denies go on with its caller', async () => {
      const request = await api.pull({ scope: 'repo:read' }, { body });
      const { answer, records } = await goesOn(api, request, { status: 201, code: 'policy_denied', phase: 'decision' });
      expect(answer).toMatchObject({ actor: { id: reviewerId } });
      expect(records[0]).toMatchObject({ actor: { id: reviewerId }, action: 'pr.create' });
    });

    it('lets an agent use a route that asks for no permission', async () => {
      if (api.host === 'node-http') return;
      const request = api.signed({ method: 'DELETE', target: '/forgotten', key: runner });
      await goesOn(api, request, { status: 204, code: 'route_unmapped', phase: 'decision' });
    });

    it('serves and records a permitted request as a guard that enforces', async () => {
      const { records } = await api.accepts(await api.pull({}, { body }), 201);
      expect(records).toMatchObject([{ phase: 'decision', decision: 'allow' }, { phase: 'outcome' }]);
    });
  },
  { config: { mode: 'observe' }, start: { guard: { onTrouble: () => undefined } } },
);
