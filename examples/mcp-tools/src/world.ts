import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, cedarFromDirectory, createGuard, type MemoryAudit, memoryAudit } from '@countersign/core';
import { createIssuer, type Issuer, listen } from '@countersign/example-stage';
import { createListener } from './server.js';

/** The parts of the story: the server listens on a free port of this machine. */
export interface World {
  readonly url: URL;
  readonly issuer: Issuer;
  /** Plans the work of a person, and hands parts of it on. */
  readonly planner: Agent;
  /** Reviews, for whoever hands work to it. */
  readonly reviewer: Agent;
  /** Deploys, for itself. */
  readonly releaser: Agent;
  readonly audit: MemoryAudit;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const server = await listen();
  const issuer = createIssuer(server.origin);
  const keys = [generateAgentKey(), generateAgentKey(), generateAgentKey()] as const;
  const [planner, reviewer, releaser] = [
    await createAgent({ id: 'agent-planner', key: keys[0] }),
    await createAgent({ id: 'agent-reviewer', key: keys[1] }),
    await createAgent({ id: 'agent-releaser', key: keys[2] }),
  ];
  const scopes = ['pull:draft', 'dataset:billing', 'ticket:create'];
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: server.origin,
    issuers: [issuer.trusted],
    agents: agentsFromObjects([
      keys[0].registration(planner.id, scopes),
      { ...keys[1].registration(reviewer.id, scopes), roles: ['reviewer'] },
      { ...keys[2].registration(releaser.id, []), roles: ['releaser'] },
    ]),
    policy: await cedarFromDirectory(fileURLToPath(new URL('../policies', import.meta.url))),
    audit,
  });
  server.server.on('request', createListener(guard));
  return {
    url: new URL('/mcp', server.origin),
    issuer,
    planner,
    reviewer,
    releaser,
    audit,
    async stop() {
      await server.close();
      await guard.close();
    },
  };
}
