import { KeyObject } from 'node:crypto';
import { answerInTime } from '@countersign/common';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';

/**
 * The directory with a time limit on each answer. It rejects after that, and for an answer of a wrong type; both count as
 * an outage.
 */
export function boundedDirectory(directory: AgentDirectory, seconds: number): AgentDirectory {
  return {
    async findByThumbprint(thumbprint) {
      const lookup: unknown = await answerInTime(seconds, () => directory.findByThumbprint(thumbprint));
      if (isKeyLookup(lookup)) return lookup;
      throw new Error('the directory gave an answer that is no key lookup');
    },
    async statusOf(id) {
      const status: unknown = await answerInTime(seconds, () => directory.statusOf(id));
      if (isStatus(status)) return status;
      throw new Error('the directory gave an answer that is no status');
    },
    close: () => directory.close?.(),
  };
}

const statuses: readonly unknown[] = ['active', 'suspended', 'unknown', 'unavailable'] satisfies AgentStatus[];

function isStatus(value: unknown): value is AgentStatus {
  return statuses.includes(value);
}

function isKeyLookup(value: unknown): value is KeyLookup {
  const { kind, agent, key } = (value ?? {}) as Partial<Record<'kind' | 'agent' | 'key', unknown>>;
  return kind === 'unknown' || kind === 'unavailable' || (kind === 'found' && isAgent(agent) && isKey(key));
}

function isAgent(value: unknown): boolean {
  const { id, status, capabilities, roles } = (value ?? {}) as Record<string, unknown>;
  const known = status === 'active' || status === 'suspended';
  return typeof id === 'string' && known && Array.isArray(capabilities) && Array.isArray(roles);
}

function isKey(value: unknown): boolean {
  const { thumbprint, publicKey } = (value ?? {}) as Record<string, unknown>;
  return typeof thumbprint === 'string' && publicKey instanceof KeyObject;
}
