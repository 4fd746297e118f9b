import { expect, it } from 'vitest';
import { type Api, onEveryHost, onEverySetup } from '../support/api.js';
import { runner, runnerId } from '../support/world.js';

const forgotten = (api: Api) => api.signed({ method: 'DELETE', target: '/forgotten', key: runner });

onEverySetup('A route that asks for no permission', (api) => {
  it('is closed to agents, without running its handler, and has one record [D8, G3]', async () => {
    if (api.host === 'node-http') {
      // No router reports the route, so the handler runs and its outcome is marked.
      const { records } = await api.accepts(forgotten(api), 204);
      expect(records).toMatchObject([{ phase: 'outcome', outcome: { status: 204, undecided: true } }]);
      return;
    }
    const { records } = await api.closes(forgotten(api), 'route_unmapped');
    const detail = expect.stringMatching(/^DELETE .*\/forgotten asks for no permission$/);
    expect(records[0]).toMatchObject({ actor: { id: runnerId }, detail });
  });

  it('is open to every verified agent with permit(false), and its outcome is not marked [D8]', async () => {
    const { records } = await api.accepts(api.signed({ target: '/whoami' }), 200);
    expect(records[0]?.outcome).toEqual({ result: 'finished', status: 200 });
  });
});

onEveryHost(
  "unmapped: 'authenticated'",
  (api) => {
    it('accepts agents, and marks the outcome as undecided [D8]', async () => {
      const { records } = await api.accepts(forgotten(api), 204);
      expect(records).toMatchObject([{ phase: 'outcome', outcome: { result: 'finished', undecided: true } }]);
    });
  },
  { config: { unmapped: 'authenticated' } },
);
