import { afterEach, describe, expect, it } from 'vitest';
import { guarded, signedRequest } from './guarded.js';

const { Promise: native } = globalThis;
const start = Math.floor(Date.now() / 1000);

afterEach(() => void (globalThis.Promise = native));

// As bluebird and zone.js do. The promises of `async` functions are no instances of it.
const replacements: readonly [string, () => PromiseConstructor][] = [
  ['a class that extends it', () => class extends Promise<unknown> {} as unknown as PromiseConstructor],
  [
    'a class of its own',
    () =>
      Object.assign(
        function Other(run: ConstructorParameters<PromiseConstructor>[0]) {
          return new native(run);
        },
        { resolve: native.resolve.bind(native), all: native.all.bind(native), race: native.race.bind(native) },
      ) as unknown as PromiseConstructor,
  ],
];

describe.each(replacements)('with the global Promise replaced by %s', (_title, make) => {
  it.each([
    ['a token that has expired', { iat: start - 600, exp: start - 300 }, 'token_expired'],
    ['a token of another agent', { act: { sub: 'agent-b' } }, 'token_not_bound_to_agent'],
  ])('refuses %s [B1, B2]', async (_kind, claims, code) => {
    const { guard } = await guarded();
    const request = await signedRequest({ iat: start, exp: start + 300, ...claims });
    globalThis.Promise = make();

    expect(await guard.authenticate(request)).toMatchObject({ ok: false, refusal: { code } });
  });

  it('gives no more than the scope of the token [B5]', async () => {
    const { guard } = await guarded();
    const request = await signedRequest({ iat: start, exp: start + 300, scope: 'thing:narrow' });
    globalThis.Promise = make();

    expect(await guard.authenticate(request)).toMatchObject({ ok: true, caller: { scope: ['thing:narrow'] } });
  });

  it('verifies a link, and decides [B1]', async () => {
    const { guard } = await guarded();
    const request = await signedRequest('agent-b');
    globalThis.Promise = make();
    const answer = await guard.authenticate(request);

    expect(answer).toMatchObject({ ok: true, caller: { subject: { id: 'agent-b' } } });
  });
});
