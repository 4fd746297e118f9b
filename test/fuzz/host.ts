import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import {
  agentsFromObjects,
  type AuditEvent,
  cedarFromText,
  continueAfterVerification,
  createGuard,
} from '@countersign/core';
import { applications } from './applications.js';
import { agents, guardOptions, policies } from './world.js';

// The server under test, in its own process, so that an uncaught error ends it and its memory can be measured.
// It sends its port, and a report at each request of its parent.

/** The counters of the host since its start. */
export interface HostReport {
  readonly rssBytes: number;
  /** How often the handler ran. */
  readonly handled: number;
  /** Records by phase, decision or code. */
  readonly records: Readonly<Record<string, number>>;
  /** Records of unverified requests that name an actor: there must be none. */
  readonly actorsUnverified: number;
  readonly troubles: readonly string[];
}

const records: Record<string, number> = {};
const troubles: string[] = [];
let actorsUnverified = 0;
let handled = 0;

function count(event: AuditEvent): void {
  const { phase, decision, code } = event;
  const key = phase === 'outcome' ? phase : `${phase} ${code ?? decision ?? ''}`;
  records[key] = (records[key] ?? 0) + 1;
  if (phase === 'authentication' && event.actor !== undefined) actorsUnverified += 1;
}

function report(): HostReport {
  return { rssBytes: process.memoryUsage().rss, handled, records, actorsUnverified, troubles };
}

const application = applications[process.argv[2] ?? ''];
if (application === undefined || process.send === undefined) throw new Error('host.js is started by main.js');

const guard = await createGuard({
  ...guardOptions,
  agents: agentsFromObjects(agents),
  policy: await cedarFromText({ policies }),
  // Counting keeps memory flat over a million requests; the audit log has tests of its own.
  audit: { write: async (event) => count(event) },
  onTrouble: (message) => {
    if (troubles.length < 100) troubles.push(message);
  },
});
const server = createServer(
  await application(guard, () => {
    handled += 1;
  }),
);
continueAfterVerification(server);
// What was created in the second in which this process began may be a replay of something the process before it served.
while (Math.floor(Date.now() / 1000) <= Math.floor(Date.now() / 1000 - process.uptime())) await setTimeout(50);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => process.send?.(report()));
process.on('disconnect', () => process.exit());
process.send({ port: (server.address() as AddressInfo).port });
