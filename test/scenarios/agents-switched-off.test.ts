import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import express from 'express';
import { expect, it } from 'vitest';
import { host, send, serve, signed, unsigned } from '../support/guarded.js';

it('a guard that knows no agent serves people, and refuses every signed request', async () => {
  const guard = await createGuard({
    origin: `https://${host}`,
    traffic: 'mixed',
    agents: agentsFromObjects([]),
    policy: await cedarFromText({ policies: 'forbid (principal, action, resource);' }),
    audit: memoryAudit(),
  });
  const app = express();
  app.use(agentAuth(guard));
  app.get('/orders', permit('order.read', { type: 'Order', id: '*' }), (_req, res) => void res.send('orders'));
  await using served = await serve(app);
  expect(await send(served.url, unsigned({ target: '/orders', fields: [['Host', host]] }))).toMatchObject({
    status: 200,
    body: 'orders',
  });
  const refused = await send(served.url, signed({ target: '/orders' }));
  expect([refused.status, JSON.parse(refused.body)]).toEqual([
    401,
    expect.objectContaining({ code: 'signature_invalid' }),
  ]);
  await guard.close();
});
