import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import { type LogReport, verifyLog } from '@countersign/audit-verifier';
import { type AuditRecord, readAuditLog } from '@countersign/core';
import { listen, type StageAuthority, startAuthority } from '@countersign/example-stage';
import { createApi } from './api.js';
import { openWire, type Wire } from './wire.js';

/** The parts of the story, listening on this machine. */
export interface World {
  readonly wire: Wire;
  readonly authority: StageAuthority;
  readonly user: string;
  /** A person in the group of release managers. */
  readonly approver: string;
  /** The agent that the policy names. */
  readonly reviewer: Agent;
  /** Another agent, with a key of its own and the same capabilities. */
  readonly otherAgent: Agent;
  readonly capabilities: readonly string[];
  /**
   * Resolves in the second after the start. With its memory of uses in memory, a guard takes no approval from before: it
   * cannot know whether that one was used.
   */
  readyForApprovals(): Promise<void>;
  /** The audit log on disk. */
  audit(): Promise<readonly AuditRecord[]>;
  /** Verifies the log. */
  verify(): Promise<LogReport>;
  /** Stops the servers; then the log is complete. */
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly policiesFolder: string;
  /** Folder of the audit log. */
  readonly folder: string;
}

const approver = 'user_rita';

export async function startWorld({ policiesFolder, folder }: WorldOptions): Promise<World> {
  const auditFolder = join(folder, 'audit');
  const apiServer = await listen();
  const wire = await openWire(apiServer.port);
  const authority = await startAuthority(wire.origin, { 'release-managers': [approver] });

  // Private keys are made at run time and stay in memory. The authority gets the public ones.
  const capabilities = ['repo:read', 'pr:write:draft'];
  const [reviewerKey, otherKey] = [generateAgentKey(), generateAgentKey()];
  const reviewer = await createAgent({
    id: 'agent-code-reviewer-01',
    key: reviewerKey,
    authority: authority.issuer,
  });
  const otherAgent = await createAgent({ id: 'agent-test-runner-02', key: otherKey });
  await authority.register(reviewer, reviewerKey, { capabilities });
  await authority.register(otherAgent, otherKey, { capabilities });

  const trusted = { ...authority.trusted, approvals: authority.approvals };
  const api = await createApi({ origin: wire.origin, trusted, policiesFolder, auditFolder });
  apiServer.server.on('request', api.app);

  const startedAt = Date.now();
  let stopped = false;
  return {
    wire,
    authority,
    user: 'user_123',
    approver,
    reviewer,
    otherAgent,
    capabilities,
    async readyForApprovals() {
      const nextSecond = (Math.floor(startedAt / 1000) + 1) * 1000;
      await setTimeout(Math.max(nextSecond - Date.now(), 0) + 10);
    },
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
      await api.close();
      await authority.close();
    },
  };
}
