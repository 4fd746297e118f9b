import { type AuditEvent, type AuditSink } from '@countersign/core';
import Fastify from 'fastify';
import { expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../../../test/support/deferred.js';
import { guarded, send, signed } from '../../../test/support/guarded.js';
import { patiently } from '../../../test/support/patiently.js';
import { agentAuth, permit } from '../src/index.js';

it('A guard that is closed before the server has the outcome of every request, with one hook [F5]', async () => {
  const events: string[] = [];
  const audit: AuditSink = {
    write: async ({ phase, outcome }: AuditEvent) => void events.push(`${phase} ${outcome?.result ?? ''}`.trim()),
    close: async () => void events.push('closed'),
  };
  const { guard } = await guarded({ audit });
  const held = deferred();
  const app = Fastify();
  await app.register(agentAuth, { guard });
  app.addHook('preClose', () => guard.close());
  app.get('/', permit('repo.read', { type: 'Repo', id: 'acme' }), async () => {
    events.push('handled');
    await held.promise;
    return 'done';
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const answer = send(url, signed());
  await vi.waitFor(() => expect(events).toContain('handled'), patiently);
  const closed = app.close();
  held.resolve();
  expect((await answer).body).toBe('done');
  await closed;
  expect(events).toEqual(['decision', 'handled', 'outcome finished', 'closed']);
});

it('A guard seals its log although an injected request, which cannot be cut, never ends [F5]', async () => {
  const close = vi.fn(async () => {});
  const { guard } = await guarded({ audit: { write: async () => {}, close } });
  const app = Fastify();
  await app.register(agentAuth, { guard });
  const handled = vi.fn(() => new Promise<never>(() => {}));
  app.get('/', permit('repo.read', { type: 'Repo', id: 'acme' }), handled);
  const { method, target, fields } = signed();
  void app.inject({ method: method as 'GET', url: target, headers: Object.fromEntries(fields) }).catch(() => {});
  await vi.waitFor(() => expect(handled).toHaveBeenCalled(), patiently);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const closed = guard.close();
  await vi.advanceTimersByTimeAsync(9_000);
  await closed;
  expect(close).toHaveBeenCalledOnce();
});
