import { fileURLToPath } from 'node:url';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { type MemoryAudit, memoryAudit, memoryRevocations, type Revocations } from '@countersign/core';
import { type StageAuthority, startAuthority } from '@countersign/example-stage';
import { type Service, startArchive, startLedger, startTickets } from './services.js';

/** The parts of the story: three services on free ports of this machine. */
export interface World {
  readonly authority: StageAuthority;
  readonly ledger: Service;
  readonly tickets: Service;
  readonly archive: Service;
  readonly orchestrator: Agent;
  readonly billing: Agent;
  readonly worker: Agent;
  readonly revocations: Revocations;
  readonly audit: MemoryAudit;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const audience = 'https://acme.dev/finance';
  const authority = await startAuthority(audience);
  const keys = [generateAgentKey(), generateAgentKey(), generateAgentKey()] as const;
  const orchestrator = await createAgent({ id: 'agent-orchestrator', key: keys[0] });
  const billing = await createAgent({ id: 'agent-billing', key: keys[1] });
  const worker = await createAgent({ id: 'agent-tickets', key: keys[2] });
  const capabilities = ['invoice:read', 'ticket', 'report:file'];
  await authority.register(orchestrator, keys[0], { capabilities });
  await authority.register(billing, keys[1], { capabilities });
  await authority.register(worker, keys[2], { capabilities });
  const revocations = memoryRevocations(); // in production: a source that all processes share
  const audit = memoryAudit(); // in production: auditFile('audit')
  const shared = {
    audience,
    trusted: authority.trusted,
    policiesFolder: fileURLToPath(new URL('../policies', import.meta.url)),
    audit,
    revocations,
  };
  const ledger = await startLedger(shared);
  const tickets = await startTickets(shared);
  const archive = await startArchive(shared);
  return {
    authority,
    ledger,
    tickets,
    archive,
    orchestrator,
    billing,
    worker,
    revocations,
    audit,
    async stop() {
      for (const service of [ledger, tickets, archive, authority]) await service.close();
    },
  };
}
