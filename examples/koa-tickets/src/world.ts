import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, type MemoryAudit, memoryAudit } from '@countersign/core';
import { createIssuer, type Issuer, listen } from '@countersign/example-stage';
import { createApi } from './api.js';

/** The parts of the story: the API listens on a free port of this machine. */
export interface World {
  readonly origin: string;
  readonly issuer: Issuer;
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
  const issuer = createIssuer(server.origin);
  const person = { name: 'ines', password: randomUUID() };
  const [helperKey, triageKey, unknownKey] = [generateAgentKey(), generateAgentKey(), generateAgentKey()];
  const helper = await createAgent({ id: 'agent-helper-01', key: helperKey });
  const triage = await createAgent({ id: 'agent-triage-01', key: triageKey });
  const unknownAgent = await createAgent({ id: 'agent-unknown', key: unknownKey });
  const audit = memoryAudit(); // in production: auditFile('audit')

  const api = await createApi({
    origin: server.origin,
    issuer: issuer.trusted,
    agents: agentsFromObjects([
      helperKey.registration(helper.id, ['ticket:write']),
      { ...triageKey.registration(triage.id, []), roles: ['triage'] },
    ]),
    policiesFolder: fileURLToPath(new URL('../policies', import.meta.url)),
    audit,
    passwords: { [person.name]: person.password },
  });
  const handle = api.app.callback();
  server.server.on('request', (request, response) => void handle(request, response));

  return {
    origin: server.origin,
    issuer,
    person,
    helper,
    triage,
    unknownAgent,
    audit,
    async stop() {
      await server.close();
      await api.close();
    },
  };
}
