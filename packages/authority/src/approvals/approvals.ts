import type { AgentRegistry } from '../agents/registry.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import type { ApprovalSettings } from '../options/read-approvals.js';
import type { Settings } from '../options/read-options.js';
import { type ApprovalQueue, createApprovalQueue } from './queue.js';

/** The queue of approvals, and the messages about it. */
export interface Approvals {
  readonly settings: ApprovalSettings;
  readonly queue: ApprovalQueue;
  close(): Promise<void>;
}

export function createApprovals(services: {
  readonly settings: Settings & { readonly approvals: ApprovalSettings };
  readonly agents: AgentRegistry;
  readonly keys: SigningKeys;
  readonly now: () => number;
}): Approvals {
  const queue = createApprovalQueue({ ...services, announce: () => [] });
  return { settings: services.settings.approvals, queue, close: async () => await Promise.resolve() };
}
