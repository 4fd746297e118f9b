import { expect, it, vi } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { patiently } from '../support/patiently.js';
import { Prometheus } from '../support/prometheus.js';
import { serialized } from '../support/signed-request.js';
import { reviewerId, runner, stranger, userId } from '../support/world.js';

const verified = 'countersign_authentication_duration_count';
const decided = 'countersign_decision_duration_count';
const refusals = (phase: string, decision: string, reason: string): string =>
  `countersign_refusals_total{countersign_phase="${phase}",countersign_decision="${decision}",countersign_reason="${reason}"}`;

onEveryHost('Metrics', (api) => {
  it('count what was allowed and what was refused, by code', async () => {
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter } });
    await metered.accepts(await metered.pull(), 201);
    await metered.accepts(await metered.pull(), 201);
    await metered.denies(await metered.pull({ scope: 'repo:read' }), 403, 'policy_denied');
    await metered.refuses(metered.signed({ key: stranger }), 401, 'key_unknown');
    expect(await prometheus.values()).toMatchObject({
      [`${verified}{countersign_decision="allow"}`]: 3,
      [`${verified}{countersign_decision="deny"}`]: 1,
      [`${decided}{countersign_decision="allow"}`]: 2,
      [`${decided}{countersign_decision="deny"}`]: 1,
      [refusals('decision', 'deny', 'policy_denied')]: 1,
      [refusals('authentication', 'deny', 'key_unknown')]: 1,
    });
  });

  it('count a route that is closed to agents', async () => {
    if (api.host === 'node-http') return;
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter } });
    await metered.closes(metered.signed({ method: 'DELETE', target: '/forgotten', key: runner }), 'route_unmapped');
    expect(await prometheus.values()).toHaveProperty([refusals('decision', 'deny', 'route_unmapped')], 1);
  });

  it('count what a guard that observes would refuse', async () => {
    const prometheus = new Prometheus();
    const start = { wrapGuard: prometheus.meter, guard: { onTrouble: () => undefined } };
    const metered = await api.variant({ config: { mode: 'observe' }, start });
    await metered.send(metered.signed({ key: stranger }));
    await metered.send(await metered.pull({ scope: 'repo:read' }));
    expect(await prometheus.values()).toMatchObject({
      [refusals('authentication', 'would_refuse', 'key_unknown')]: 1,
      [refusals('decision', 'would_refuse', 'policy_denied')]: 1,
      [`${verified}{countersign_decision="would_refuse"}`]: 1,
      [`${decided}{countersign_decision="would_refuse"}`]: 1,
    });
  });

  it('count no people in mixed traffic', async () => {
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter, guard: { traffic: 'mixed' } } });
    const [method, target] = ['POST', metered.at('/repos/acme/api/merge')];
    await metered.send({ method, target, fields: [['Host', metered.authority]], body: Buffer.alloc(0) });
    const names = Object.keys(await prometheus.values());
    expect(names.filter((name) => /duration|refusals/.test(name))).toEqual([]);
  });

  it('say how far the log is behind its checkpoints, and how much of bodies is held', async () => {
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter } });
    await metered.accepts(await metered.pull(), 201);
    // A record can be read before its write is acknowledged.
    await vi.waitFor(async () => {
      expect(await prometheus.values()).toMatchObject({
        'countersign_audit_records_waiting{countersign_audit_sink="audit"}': 0,
        'countersign_audit_records_unsealed{countersign_audit_sink="audit"}': 2,
        'countersign_audit_records_lost_total{countersign_audit_sink="audit"}': 0,
        'countersign_body_held{countersign_body_place="memory"}': 0,
        'countersign_body_held{countersign_body_place="disk"}': 0,
      });
    }, patiently);
  });

  it('say how much of bodies is held while a sender is slow', async () => {
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter } });
    const held = async () => (await prometheus.values())['countersign_body_held{countersign_body_place="memory"}'];
    const bytes = serialized(await metered.pull({}, { body: JSON.stringify({ title: 'x'.repeat(5000) }) }));
    const connection = await metered.connect();
    connection.write(bytes.subarray(0, -1));
    await vi.waitFor(async () => expect(await held()).toBeGreaterThan(4000), patiently);
    connection.write(bytes.subarray(-1));
    expect(await connection.read()).toMatchObject({ status: 201 });
    connection.destroy();
    await vi.waitFor(async () => expect(await held()).toBe(0), patiently);
  });

  it('hold no names that a client or an agent has [F1]', async () => {
    const prometheus = new Prometheus();
    const metered = await api.variant({ start: { wrapGuard: prometheus.meter } });
    await metered.accepts(await metered.pull(), 201);
    await metered.refuses(metered.signed({ key: stranger, target: '/whoami?x=s3cret' }), 401, 'key_unknown');
    for (const name of [reviewerId, userId, stranger.thumbprint, 'acme/api', 's3cret', 'whoami', 'pr.create']) {
      expect(await prometheus.page()).not.toContain(name);
    }
  });
});
