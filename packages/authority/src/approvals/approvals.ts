import { closeParts } from '@countersign/common';
import type { AgentRegistry } from '../agents/registry.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { inBackground } from '../storage/in-background.js';
import type { ApprovalSettings } from '../options/read-approvals.js';
import type { Settings } from '../options/read-options.js';
import type { Trail } from '../trail/trail.js';
import { openChannel } from './channels.js';
import { startExpiry } from './expiry.js';
import { type Notifier, startNotifier } from './notifier.js';
import { createOutbox, type Outbox } from './outbox.js';
import { type ApprovalQueue, createApprovalQueue } from './queue.js';

/** The queue of approvals, and the messages about it. */
export interface Approvals {
  readonly settings: ApprovalSettings;
  readonly queue: ApprovalQueue;
  readonly outbox: Outbox;
  readonly nudge: () => void;
  /** A subject was revoked: what they decided about is counted anew, in the background. */
  readonly subjectRevoked: () => void;
  close(): Promise<void>;
}

/** Another process may have revoked, and have ended before it counted. */
const recountMilliseconds = 30_000;

/** @throws ConfigError if a channel cannot be used. */
export async function createApprovals(services: {
  readonly settings: Settings & { readonly approvals: ApprovalSettings };
  readonly agents: AgentRegistry;
  readonly keys: SigningKeys;
  readonly trail: Trail;
  readonly now: () => number;
}): Promise<Approvals> {
  const { settings, agents, trail, now } = services;
  const { approvals, issuerName: issuer, onTrouble, store } = settings;
  const sends = await Promise.all(
    approvals.channels.map(
      async (channel) => [channel.name, await openChannel(channel, { ...services, issuer })] as const,
    ),
  );
  const outbox = createOutbox(store, approvals.channels, now);
  let notifier: Notifier | undefined;
  const nudge = (): void => notifier?.nudge();
  const queue = createApprovalQueue({
    settings,
    agents,
    announce: (approval, event) => outbox.announce(approval, event),
    announced: nudge,
    trail,
    now,
  });
  if (sends.length > 0) {
    const ofChannels = approvals.channels.flatMap(({ groups = [] }) => groups);
    const knownGroups = new Set([...approvals.groups.keys(), ...ofChannels]);
    notifier = startNotifier({ outbox, channels: new Map(sends), queue, agents, issuer, knownGroups, onTrouble });
  }
  const recounts = inBackground(async () => await queue.recount(), {
    everyMilliseconds: recountMilliseconds,
    trouble: 'what revoked people decided about cannot be counted anew',
    onTrouble,
  });
  const expiry = settings.audit && startExpiry({ store, trail, issuer, now, onTrouble });
  return {
    settings: approvals,
    queue,
    outbox,
    nudge,
    subjectRevoked: recounts.nudge,
    close: async () => await closeParts([recounts, notifier, expiry].filter((part) => part !== undefined)),
  };
}
