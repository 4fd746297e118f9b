import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { type MemoryAudit, memoryAudit } from '@countersign/core';
import { listen, type StageAuthority, startAuthority } from '@countersign/example-stage';
import { createApi } from './api.js';
import type { Ticket } from './tickets.js';

/** The parts of the story: the API listens on a free port of this machine. */
export interface World {
  readonly origin: string;
  readonly authority: StageAuthority;
  readonly agent: Agent;
  readonly capabilities: readonly string[];
  readonly audit: MemoryAudit;
  /** The warnings that the API logged. */
  readonly warnings: readonly { readonly msg: string; readonly routes?: readonly string[] }[];
  tickets(): readonly Ticket[];
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const server = await listen();
  const authority = await startAuthority(server.origin);
  const key = generateAgentKey();
  const agent = await createAgent({ id: 'agent-billing-01', key });
  // The scopes it may ever use. For a user it may use only the delegated ones.
  const capabilities = ['billing:read', 'warehouse:query', 'ticket:create'];
  await authority.register(agent, key, { capabilities, roles: ['analysts'] });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const warnings: World['warnings'][number][] = [];

  const api = await createApi({
    origin: server.origin,
    trusted: authority.trusted,
    policiesFolder: fileURLToPath(new URL('../policies', import.meta.url)),
    audit,
    logger: { level: 'warn', stream: { write: (line) => void warnings.push(JSON.parse(line)) } },
  });
  server.server.on('request', (request, response) => api.app.routing(request, response));

  return {
    origin: server.origin,
    authority,
    agent,
    capabilities,
    audit,
    warnings,
    tickets: () => api.tickets.opened,
    async stop() {
      await server.close();
      await api.close();
      await authority.close();
    },
  };
}
