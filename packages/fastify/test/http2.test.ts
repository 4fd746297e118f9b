import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { agentId, guarded, outcomeOf, signed, unsigned } from '../../../test/support/guarded.js';
import { sendHttp2 } from '../../../test/support/http2.js';
import { tampered } from '../../../test/support/signed-request.js';
import { agentAuth, getCaller, permit } from '../src/index.js';

it('agentAuth verifies, decides, refuses and records over HTTP/2 as over HTTP/1 [G3]', async () => {
  const parts = await guarded();
  const app = fastify({ http2: true });
  await app.register(agentAuth, { guard: parts.guard });
  app.post(
    '/things/:id',
    permit('thing.make', ({ params }) => ({ type: 'Thing', id: `${params['id']}` })),
    async (request) => ({ by: getCaller(request)?.actor.id, body: request.body }),
  );
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const request = { method: 'POST', target: '/things/1?x=y', body: '{"a":[1]}' };

  const answer = await sendHttp2(url, signed(request));
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { by: agentId, body: { a: [1] } }]);
  expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200 });

  const refusals = [
    [signed({ ...request, target: '/things/forbidden' }), 'policy_denied'],
    [unsigned({ target: '/things/1' }), 'signature_required'],
    [tampered(signed(request), { body: Buffer.from('{"a":[2]}') }), 'digest_mismatch'],
  ] as const;
  for (const [refused, code] of refusals) {
    const { status, headers, body } = await sendHttp2(url, refused);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ code, status });
  }
  await app.close();
});
