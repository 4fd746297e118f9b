import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { startBalancer } from './balancer.js';
import { startRedis } from './redis.js';
import { countersign } from './shell.js';
import { createSupervisor, type Supervisor } from './supervisor.js';

/** The parts of the story. */
export interface World {
  readonly origin: string;
  readonly redis: string;
  /** The folder with a log of each process. */
  readonly audit: string;
  readonly agent: Agent;
  readonly supervisor: Supervisor;
  stop(): Promise<void>;
}

/** Undefined: there is no Redis on this machine. */
export async function startWorld(): Promise<World | undefined> {
  const redis = await startRedis();
  if (redis === undefined) return undefined;
  await countersign('revocations', 'begin', '--store', redis.url);
  const audit = await mkdtemp(join(tmpdir(), 'countersign-two-processes-'));
  const key = generateAgentKey();
  const agent = await createAgent({ id: 'agent-shop', key });
  const agents = [{ id: agent.id, publicKey: key.publicKey, capabilities: ['order:place'] }];
  const ports = (): readonly number[] => [...supervisor.ports.values()];
  const balancer = await startBalancer(ports);
  const supervisor = createSupervisor({ origin: balancer.origin, redis: redis.url, audit, agents });
  await Promise.all([supervisor.start(1), supervisor.start(2)]);
  return {
    origin: balancer.origin,
    redis: redis.url,
    audit,
    agent,
    supervisor,
    async stop() {
      await supervisor.stop();
      await balancer.close();
      await redis.stop();
      await rm(audit, { recursive: true });
    },
  };
}
