import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, createGuard, type MemoryAudit, memoryAudit, type PolicyEngine } from '@countersign/core';
import { createIssuer, type Issuer, listen } from '@countersign/example-stage';
import { agentAuth, permit } from '@countersign/express';
import express, { type Request } from 'express';

/** The parts of the story: the API listens on a free port of this machine. */
export interface World {
  readonly origin: string;
  readonly issuer: Issuer;
  readonly agent: Agent;
  readonly audit: MemoryAudit;
  stop(): Promise<void>;
}

export async function startWorld(policy: PolicyEngine): Promise<World> {
  const server = await listen();
  const issuer = createIssuer(server.origin);
  const key = generateAgentKey();
  const agent = await createAgent({ id: 'agent-code-reviewer-01', key });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: server.origin,
    agents: agentsFromObjects([key.registration(agent.id, ['repo:read', 'pr:write:draft'])]),
    issuers: [issuer.trusted],
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
    issuer,
    agent,
    audit,
    async stop() {
      await server.close();
      await guard.close();
    },
  };
}
