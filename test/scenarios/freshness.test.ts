import { memoryReplayStore } from '@countersign/core';
import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { type SignedRequestOptions, sha256Digest, tampered } from '../support/signed-request.js';
import { agents, reviewer, reviewerId, runner, stranger } from '../support/world.js';

const nonce = (text: string): Partial<SignedRequestOptions> => ({ parameters: { nonce: `"${text}"` } });
const now = () => Math.floor(Date.now() / 1000);

onEveryHost('The validity of a signature', (api) => {
  const timed = (created: string | undefined, expires?: string) => api.signed({ parameters: { created, expires } });
  const expiringAfter = (seconds: number, created = now()) => timed(`${created}`, `${created + seconds}`);
  refuseEach(api, [
    ['created in the future [A9]', () => timed(`${now() + 30}`), 401, 'signature_not_yet_valid'],
    ['no created [A9]', () => timed(undefined, `${now() + 60}`), 401, 'signature_incomplete'],
    ['created as a string [A9]', () => timed(`"${now()}"`), 400, 'signature_malformed'],
    ['created as a date [A9]', () => timed(`@${now()}`), 400, 'signature_malformed'],
    ['a negative created [A9]', () => timed(`-${now()}`), 400, 'signature_malformed'],
    ['created with a fraction [A9]', () => timed(`${now()}.5`), 400, 'signature_malformed'],
    ['created of more than 15 digits [A9]', () => timed(`${now()}0000000`), 400, 'signature_malformed'],
    ['created in milliseconds [A9]', () => timed(`${now()}000`), 401, 'signature_not_yet_valid'],
    ['an old created without expires [A9]', () => timed(`${now() - 120}`), 401, 'signature_expired'],
    ['an old created with expires in 2100 [A9]', () => timed(`${now() - 120}`, '4102444800'), 401, 'signature_expired'],
    [
      'a recent created with a past expires [A9]',
      () => timed(`${now() - 20}`, `${now() - 10}`),
      401,
      'signature_expired',
    ],
    ['expires at created [A9]', () => expiringAfter(0), 400, 'signature_malformed'],
    ['expires before created [A9]', () => expiringAfter(-1), 400, 'signature_malformed'],
    ['expires as a string [A9]', () => timed(`${now()}`, `"${now() + 60}"`), 400, 'signature_malformed'],
    ['no nonce [A10]', () => api.signed({ parameters: { nonce: undefined } }), 401, 'signature_incomplete'],
    ['an empty nonce [A10]', () => api.signed({ parameters: { nonce: '""' } }), 401, 'signature_incomplete'],
    ['a nonce of one character [A10]', () => api.signed({ parameters: { nonce: '"1"' } }), 401, 'signature_incomplete'],
    [
      'a nonce that is too long [A10]',
      () => api.signed({ parameters: { nonce: `"${'n'.repeat(257)}"` } }),
      401,
      'signature_incomplete',
    ],
  ]);

  it('accepts nonces of the minimum and maximum length [A10]', async () => {
    await api.accepts(api.signed({ parameters: { nonce: '"12345678"' } }), 200);
    await api.accepts(api.signed({ parameters: { nonce: `"${'n'.repeat(256)}"` } }), 200);
  });

  it('starts 5 s before created and ends 65 s after it, to the second [A9]', async () => {
    const at = now();
    let time = at;
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000 } } });
    const request = () => timed.signed({ now: at, parameters: { expires: undefined } });
    time = at - 6;
    await timed.refuses(request(), 401, 'signature_not_yet_valid');
    time = at - 5;
    await timed.accepts(request(), 200);
    time = at + 64;
    await timed.accepts(request(), 200);
    time = at + 65;
    await timed.refuses(request(), 401, 'signature_expired');
  });
});

onEveryHost('Replay protection', (api) => {
  it('refuses the same request again [A10]', async () => {
    const request = await api.pull();
    await api.accepts(request, 201);
    await api.refuses(request, 401, 'signature_replayed');
    await api.refuses(request, 401, 'signature_replayed');
  });

  it('refuses another request with the same nonce [A10]', async () => {
    await api.accepts(api.signed(nonce('used-by-reviewer')), 200);
    await api.refuses(api.signed({ ...nonce('used-by-reviewer'), target: '/invoices' }), 401, 'signature_replayed');
  });

  it('accepts the nonce of one agent from another [A10]', async () => {
    await api.accepts(api.signed(nonce('used-by-both')), 200);
    await api.accepts(api.signed({ ...nonce('used-by-both'), key: runner }), 200);
  });

  it('accepts exactly one of fifty concurrent copies [A10]', async () => {
    const request = await api.pull();
    const handledBefore = api.running.handled.length;
    const recordsBefore = api.records.length;
    let statuses: number[] = [];
    await api.recordedOutcomes(1, async () => {
      statuses = await Promise.all(Array.from({ length: 50 }, async () => (await api.send(request)).status));
    });
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(49);
    expect(api.running.handled.length - handledBefore).toBe(1);
    const records = api.records.slice(recordsBefore);
    expect(records.filter(({ code }) => code === 'signature_replayed')).toHaveLength(49);
    expect(records.filter(({ decision }) => decision === 'allow')).toHaveLength(1);
  });

  it('does not consume a nonce when the signature is invalid [A10]', async () => {
    const honest = await api.pull();
    await api.refuses(tampered(honest, { target: '/repos/acme/api/merge' }), 401, 'signature_invalid');
    await api.accepts(honest, 201);
  });

  it('consumes the nonce of a valid signature, even if the body is refused [A10]', async () => {
    const request = await api.pull();
    await api.refuses(tampered(request, { body: Buffer.from('{"title":"X"}') }), 401, 'digest_mismatch');
    await api.refuses(request, 401, 'signature_replayed');
  });

  it('keeps a nonce as long as its signature is valid [A10]', async () => {
    const at = now();
    let time = at;
    const timed = await api.variant({ start: { guard: { clock: () => time * 1000 } } });
    const request = timed.signed({ now: at });
    await timed.accepts(request, 200);
    time = at + 64;
    await timed.refuses(request, 401, 'signature_replayed');
    time = at + 65;
    await timed.refuses(request, 401, 'signature_expired');
  });

  it('works across two processes with one store [A10]', async () => {
    const replay = memoryReplayStore();
    const origin = 'https://api.acme.dev';
    const shared = { config: { origin }, start: { guard: { replay } } };
    const [one, other] = [await api.variant(shared), await api.variant(shared)];
    const request = one.signed({ host: 'api.acme.dev' });
    await one.accepts(request, 200);
    await other.refuses(request, 401, 'signature_replayed');
  });

  it('refuses a flood of nonces, and evicts none [A10]', async () => {
    const small = await api.variant({
      start: { guard: { replay: memoryReplayStore({ maxEntries: 3, maxEntriesPerAgent: 3 }) } },
    });
    const first = small.signed();
    await small.accepts(first, 200);
    await small.accepts(small.signed(), 200);
    await small.accepts(small.signed(), 200);
    await small.refuses(small.signed(), 503, 'replay_store_unavailable');
    await small.refuses(first, 401, 'signature_replayed');
  });

  it('gives all keys of an agent one share of the store, and leaves room for others [A10]', async () => {
    const keys = [reviewer, stranger].map(({ publicJwk }) => ({ jwk: publicJwk }));
    const small = await api.variant({
      config: { agents: [{ id: reviewerId, keys }, ...agents.slice(1)] },
      start: { guard: { replay: memoryReplayStore({ maxEntries: 4, maxEntriesPerAgent: 2 }) } },
    });
    await small.accepts(small.signed(), 200);
    await small.accepts(small.signed({ key: stranger }), 200);
    await small.refuses(small.signed(), 503, 'replay_store_unavailable');
    await small.refuses(small.signed({ key: stranger }), 503, 'replay_store_unavailable');
    await small.accepts(small.signed({ key: runner }), 200);
  });

  it('refuses a copy before its body is digested, and accepts a retry with a new nonce [A4]', async () => {
    const body = '{"title":"again"}';
    await api.refuses(await api.pull({}, { body, digest: sha256Digest('wrong') }), 401, 'digest_mismatch');
    await api.accepts(await api.pull({}, { body }), 201);
  });
});
