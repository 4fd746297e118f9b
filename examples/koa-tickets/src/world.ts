import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { type MemoryAudit, memoryAudit } from '@countersign/core';
import { listen, type StageAuthority, startAuthority } from '@countersign/example-stage';
import { createApi } from './api.js';

/** The parts of the story: the API listens on a free port of this machine. */
export interface World {
  readonly origin: string;
  readonly authority: StageAuthority;
  readonly person: { readonly name: string; readonly password: string };
  /** Helps people with their tickets. */
  readonly helper: Agent;
  /** Sorts tickets, for itself. */
  readonly triage: Agent;
  /** An agent with an unregistered key. */
  readonly unknownAgent: Agent;
  readonly audit: MemoryAudit;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const server = await listen();
  const authority = await startAuthority(server.origin);
  const person = { name: 'ines', password: randomUUID() };
  const [helperKey, triageKey, unknownKey] = [generateAgentKey(), generateAgentKey(), generateAgentKey()];
  const helper = await createAgent({ id: 'agent-helper-01', key: helperKey });
  const triage = await createAgent({ id: 'agent-triage-01', key: triageKey });
  const unknownAgent = await createAgent({ id: 'agent-unknown', key: unknownKey });
  await authority.register(helper, helperKey, { capabilities: ['ticket:write'] });
  await authority.register(triage, triageKey, { roles: ['triage'] });
  const audit = memoryAudit(); // in production: auditFile('audit')

  const api = await createApi({
    origin: server.origin,
    trusted: authority.trusted,
    policiesFolder: fileURLToPath(new URL('../policies', import.meta.url)),
    audit,
    passwords: { [person.name]: person.password },
  });
  const handle = api.app.callback();
  server.server.on('request', (request, response) => void handle(request, response));

  return {
    origin: server.origin,
    authority,
    person,
    helper,
    triage,
    unknownAgent,
    audit,
    async stop() {
      await server.close();
      await api.close();
      await authority.close();
    },
  };
}
