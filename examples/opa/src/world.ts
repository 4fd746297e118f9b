import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { createGuard, type MemoryAudit, memoryAudit, type PolicyEngine } from '@countersign/core';
import { listen, type StageAuthority, startAuthority } from '@countersign/example-stage';
import { agentAuth, permit } from '@countersign/express';
import express, { type Request } from 'express';

/** The parts of the story: the API listens on a free port of this machine. */
export interface World {
  readonly origin: string;
  readonly authority: StageAuthority;
  readonly agent: Agent;
  readonly audit: MemoryAudit;
  stop(): Promise<void>;
}

export async function startWorld(policy: PolicyEngine): Promise<World> {
  const server = await listen();
  const authority = await startAuthority(server.origin);
  const key = generateAgentKey();
  const agent = await createAgent({ id: 'agent-code-reviewer-01', key });
  await authority.register(agent, key, { capabilities: ['repo:read', 'pr:write:draft'] });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: server.origin,
    ...authority.trusted,
    policy,
    audit,
  });

  const app = express();
  app.use(agentAuth(guard)); // before any body parser
  app.post(
    '/repos/:owner/:repo/pulls',
    permit('pr.create', ({ params }: Request<{ owner: string; repo: string }>) => ({
      type: 'Repo',
      id: `${params.owner}/${params.repo}`,
    })),
    (req, res) => void res.status(201).json({ by: req.caller?.actor.id, for: req.caller?.subject.id }),
  );
  server.server.on('request', app);

  return {
    origin: server.origin,
    authority,
    agent,
    audit,
    async stop() {
      await server.close();
      await guard.close();
      await authority.close();
    },
  };
}
