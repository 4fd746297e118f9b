import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { cedarFromDirectory, createGuard, type Guard, memoryAudit } from '@countersign/core';
import { listen, startAuthority } from '@countersign/example-stage';
import { type Application, onExpress, onFastify } from './application.js';

/** The application on one platform, listening on a free port of this machine, and an agent that calls it. */
export interface World {
  readonly platform: string;
  readonly origin: string;
  readonly agent: Agent;
  /** The agent with the delegation of user_123. */
  forUser(scope: string): Promise<Signer>;
  /** The codes of the refusals that the audit log holds. */
  recorded(): readonly string[];
  stop(): Promise<void>;
}

export async function startWorlds(): Promise<readonly World[]> {
  return [await startWorld('express', onExpress), await startWorld('fastify', onFastify)];
}

async function startWorld(platform: string, start: (guard: Guard) => Promise<Application>): Promise<World> {
  const server = await listen();
  const authority = await startAuthority(server.origin);
  const key = generateAgentKey();
  const agent = await createAgent({ id: 'agent-release-01', key });
  await authority.register(agent, key, { capabilities: ['release:read', 'release:create'] });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: server.origin,
    ...authority.trusted,
    policy: await cedarFromDirectory(fileURLToPath(new URL('../policies', import.meta.url))),
    audit,
  });
  const application = await start(guard);
  server.server.on('request', application.handle);

  return {
    platform,
    origin: server.origin,
    agent,
    forUser: async (scope) => agent.withToken(await authority.letAct({ user: 'user_123', agent, scope })),
    recorded: () => audit.records.flatMap(({ code }) => code ?? []),
    async stop() {
      await server.close();
      await application.close();
      await guard.close();
      await authority.close();
    },
  };
}
