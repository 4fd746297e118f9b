import { expect, it } from 'vitest';
import { onEveryHost } from '../support/api.js';

onEveryHost(
  'refusals that explain themselves',
  (api) => {
    it('name the failed condition on the wire only when they are enabled [D14]', async () => {
      const request = () => api.pull({ scope: 'repo:read' });
      const explained = await api.send(await request());
      expect(explained.status).toBe(403);
      const body = JSON.parse(explained.body) as Record<string, unknown>;
      expect(body).toMatchObject({ code: 'policy_denied' });
      expect(body['explanation']).toMatch(/context\.scope\.contains\("pr:write:draft"\)\n.*the scope is repo:read/);

      const usual = await api.variant({});
      const { explanation: _explanation, ...terse } = body;
      const answer = await usual.send(await usual.pull({ scope: 'repo:read' }));
      expect(JSON.parse(answer.body)).toEqual(terse);
    });
  },
  { start: { guard: { dangerouslyExplainRefusals: true } } },
);
