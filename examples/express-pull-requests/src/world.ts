import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { type LogReport, verifyLog } from '@countersign/audit-verifier';
import { type AuditRecord, readAuditLog } from '@countersign/core';
import { listen } from '@countersign/example-stage';
import { createApi } from './api.js';
import { createIssuer, type User } from './issuer.js';
import { openWire, type Wire } from './wire.js';

/** The parts of the story, listening on this machine. */
export interface World {
  readonly wire: Wire;
  /** The issuer's address. */
  readonly issuer: string;
  readonly user: User;
  /** The agent that the policy names. */
  readonly reviewer: Agent;
  /** Another agent, with a key of its own and the same capabilities. */
  readonly otherAgent: Agent;
  readonly capabilities: readonly string[];
  /** The audit log on disk. */
  audit(): Promise<readonly AuditRecord[]>;
  /** Verifies the log. */
  verify(): Promise<LogReport>;
  /** Stops the servers; then the log is complete. */
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly policiesFolder: string;
  /** Folder of agents.json and the audit log. */
  readonly folder: string;
}

export async function startWorld({ policiesFolder, folder }: WorldOptions): Promise<World> {
  const agentsFile = join(folder, 'agents.json');
  const auditFolder = join(folder, 'audit');

  // Private keys are made at run time and stay in memory; agents.json holds the public ones.
  const capabilities = ['repo:read', 'pr:write:draft'];
  const reviewerKey = generateAgentKey();
  const otherKey = generateAgentKey();
  const reviewer = await createAgent({ id: 'agent-code-reviewer-01', key: reviewerKey });
  const otherAgent = await createAgent({ id: 'agent-test-runner-02', key: otherKey });
  const registered = [
    reviewerKey.registration(reviewer.id, capabilities),
    otherKey.registration(otherAgent.id, capabilities),
  ];
  await writeFile(agentsFile, JSON.stringify(registered, null, 2));

  const apiServer = await listen();
  const issuerServer = await listen();
  const wire = await openWire(apiServer.port);

  const user = { id: 'user_123', password: randomUUID(), scope: ['repo:read', 'pr:write'] };
  const issuer = issuerServer.origin;
  issuerServer.server.on('request', createIssuer({ issuer, audience: wire.origin, users: [user] }));

  const api = await createApi({
    origin: wire.origin,
    issuer: {
      issuer,
      jwksUri: `${issuer}/jwks.json`,
      // Only because everything here runs on one machine. In production: https, and a public address.
      dangerouslyAllowHttp: true,
      dangerouslyAllowPrivateAddresses: true,
    },
    agentsFile,
    policiesFolder,
    auditFolder,
  });
  apiServer.server.on('request', api.app);

  let stopped = false;
  return {
    wire,
    issuer,
    user,
    reviewer,
    otherAgent,
    capabilities,
    async audit() {
      const records: AuditRecord[] = [];
      for await (const record of readAuditLog(auditFolder)) records.push(record);
      return records;
    },
    async verify() {
      // Here the key is beside the log. An auditor takes it from a place that the writer of the log cannot change.
      return verifyLog(auditFolder, { key: (await readFile(join(auditFolder, 'checkpoint.vkey'), 'utf8')).trim() });
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      await wire.close();
      await apiServer.close();
      await issuerServer.close();
      await api.close();
    },
  };
}
