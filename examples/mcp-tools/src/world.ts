import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { cedarFromDirectory, createGuard, type MemoryAudit, memoryAudit } from '@countersign/core';
import { listen, type StageAuthority, startAuthority } from '@countersign/example-stage';
import { createListener } from './server.js';

/** The parts of the story: the server listens on a free port of this machine. */
export interface World {
  readonly url: URL;
  readonly authority: StageAuthority;
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
  const authority = await startAuthority(server.origin);
  const keys = [generateAgentKey(), generateAgentKey(), generateAgentKey()] as const;
  const [planner, reviewer, releaser] = [
    await createAgent({ id: 'agent-planner', key: keys[0] }),
    await createAgent({ id: 'agent-reviewer', key: keys[1] }),
    await createAgent({ id: 'agent-releaser', key: keys[2] }),
  ];
  const capabilities = ['pull:draft', 'dataset:billing', 'ticket:create'];
  await authority.register(planner, keys[0], { capabilities });
  await authority.register(reviewer, keys[1], { capabilities, roles: ['reviewer'] });
  await authority.register(releaser, keys[2], { roles: ['releaser'] });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: server.origin,
    ...authority.trusted,
    policy: await cedarFromDirectory(fileURLToPath(new URL('../policies', import.meta.url))),
    audit,
  });
  server.server.on('request', createListener(guard));
  return {
    url: new URL('/mcp', server.origin),
    authority,
    planner,
    reviewer,
    releaser,
    audit,
    async stop() {
      await server.close();
      await guard.close();
      await authority.close();
    },
  };
}
