import { errorMessage, FailureThrottles, messageOf } from '@countersign/common';
import type { AgentRegistry } from '../agents/registry.js';
import type { Send } from './channels.js';
import type { Outbox, Outgoing } from './outbox.js';
import type { ApprovalQueue } from './queue.js';

/** Delivers what is in the outbox, in the background. */
export interface Notifier {
  /** Something was put into the outbox. */
  nudge(): void;
  close(): Promise<void>;
}

const intervalMilliseconds = 5000;

export function startNotifier(services: {
  readonly outbox: Outbox;
  readonly channels: ReadonlyMap<string, Send>;
  readonly queue: Pick<ApprovalQueue, 'find'>;
  readonly agents: AgentRegistry;
  readonly issuer: string;
  readonly knownGroups: ReadonlySet<string>;
  readonly onTrouble: (message: string) => void;
}): Notifier {
  const { outbox, channels, queue, agents, issuer, knownGroups, onTrouble } = services;
  const failures = new FailureThrottles(Date.now);
  let running: Promise<void> | undefined;
  let again = false;

  async function deliver(outgoing: Outgoing): Promise<void> {
    const { id, approvalId, channel, event } = outgoing;
    const [send, approval] = [channels.get(channel), await queue.find(approvalId)];
    // The channel is not in the options any more, or nobody needs to look: it was decided meanwhile.
    const isStale = event === 'asked' && approval?.status !== 'pending';
    if (send !== undefined && approval !== undefined && !isStale) {
      const agentName = (await agents.get(approval.agent))?.name ?? approval.agent;
      try {
        await send({ event, approval, agentName, link: `${issuer}/approvals/${approvalId}`, knownGroups }, id);
      } catch (error) {
        const problem = messageOf(error);
        await outbox.failed(outgoing, problem);
        const failure = failures.of(channel);
        if (failure.recordFailure()) onTrouble(`channel '${channel}': ${problem} (${failure.timesText} so far)`);
        return;
      }
      failures.of(channel).recordSuccess();
    }
    await outbox.delivered(id);
  }

  async function deliverAll(): Promise<void> {
    try {
      for (let due = await outbox.take(); due.length > 0; due = await outbox.take()) {
        await Promise.all(due.map(deliver));
      }
    } catch (error) {
      if (failures.of('').recordFailure()) onTrouble(`messages cannot be delivered: ${errorMessage(error)}`);
    }
  }

  /** One at a time. What comes meanwhile is delivered afterwards. */
  function nudge(): void {
    again = running !== undefined;
    running ??= deliverAll().finally(() => {
      running = undefined;
      if (again) nudge();
    });
  }

  const timer = setInterval(nudge, intervalMilliseconds);
  timer.unref();
  // What the process before this one did not deliver.
  nudge();
  return {
    nudge,
    async close() {
      clearInterval(timer);
      again = false;
      await running;
    },
  };
}
