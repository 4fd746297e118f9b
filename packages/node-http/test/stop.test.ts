import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditEvent, AuditSink } from '@countersign/core';
import { expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { guarded, signed } from '../../../test/support/guarded.js';
import { serialized } from '../../../test/support/signed-request.js';
import { patiently } from '../../../test/support/patiently.js';
import { agentAuth, permit } from '../src/index.js';

/** Like a file, it takes no record after it has been closed. */
function closingSink(): AuditSink & { readonly events: readonly AuditEvent[] } {
  const events: AuditEvent[] = [];
  let isClosed = false;
  return {
    events,
    async write(event) {
      if (isClosed) throw new Error('closed');
      events.push(event);
    },
    async close() {
      isClosed = true;
    },
  };
}

it.each([1, 20])('%i requests have an outcome when they are cut at the end of the process', async (count) => {
  const audit = closingSink();
  const onTrouble = vi.fn();
  const { guard } = await guarded({ audit, onTrouble });
  const auth = agentAuth(guard);
  const mayRead = permit('repo.read', { type: 'Repo', id: 'acme' });
  let handled = 0;
  const server = createServer(async (request, response) => {
    // Never answered.
    if ((await auth(request, response)) && (await mayRead(request, response))) handled += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (let sent = 0; sent < count; sent += 1) (await Connection.open(url)).write(serialized(signed()));
  // A stranger who never completes a request must not keep the log open either.
  (await Connection.open(url)).write('GET / HTTP/1.1\r\n');
  await vi.waitFor(() => expect(handled).toBe(count), patiently);

  const closed = new Promise<void>((resolve, reject) => {
    server.close(() => void guard.close().then(resolve, reject));
  });
  server.closeAllConnections();
  await closed;
  const outcomes = audit.events.filter(({ phase }) => phase === 'outcome');
  expect(outcomes.map(({ outcome }) => outcome?.result)).toEqual(Array.from({ length: count }, () => 'aborted'));
  expect(onTrouble).not.toHaveBeenCalled();
});
