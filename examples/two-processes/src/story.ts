import { setTimeout } from 'node:timers/promises';
import { Telling, type Terminal, UnexpectedTurn } from '@countersign/example-stage';
import { readAuditLog } from '@countersign/core';
import { countersign } from './shell.js';
import type { World } from './world.js';

/** How soon a revocation is in force in all processes. */
const everywhereMilliseconds = 1000;

/**
 * Plays the story and tells it. Every answer shown crossed the load balancer.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign: one API in two processes, which share a Redis'));
  line();
  line(`   balancer ${world.origin}   one process after the other`);
  line(`   store    ${world.redis}   used signatures and revocations`);
  line('   logs     a folder each, below one folder');

  await share(world, telling);
  await replay(world, telling);
  await revoke(world, telling);
  await crash(world, telling);
  await verify(world, telling);
}

async function share({ agent, origin }: World, telling: Telling): Promise<void> {
  telling.scene('Both processes answer');
  const answered = new Set<number>();
  for (const order of ['a1', 'a2']) {
    const response = await agent.fetch(`${origin}/orders/${order}`, { method: 'POST' });
    const { placedBy } = await telling.answer<{ placedBy: number }>(`POST /orders/${order}`, response, { status: 201 });
    telling.note('by', `process ${placedBy}`);
    answered.add(placedBy);
  }
  telling.insist(answered.size === 2, 'an answer by each process');
}

async function replay({ agent, origin }: World, telling: Telling): Promise<void> {
  telling.scene('The same signed request is sent twice: the other process refuses it');
  const request = { method: 'POST', url: `${origin}/orders/b1` };
  const { method, url, headers } = await agent.signRequest(request);
  const first = await fetch(url, { method, headers });
  await telling.answer('POST /orders/b1', first, { status: 201 });
  const second = await fetch(url, { method, headers });
  await telling.answer('POST /orders/b1', second, { status: 401, code: 'signature_replayed' });
}

async function revoke({ agent, origin, redis }: World, telling: Telling): Promise<void> {
  telling.scene('The agent is frozen from the shell: both processes refuse it within a second');
  const frozen = await countersign('freeze', 'agent', agent.id, '--store', redis);
  telling.note('shell', frozen.err.trim().split('. ')[0] ?? '');
  await setTimeout(everywhereMilliseconds);
  for (const order of ['c1', 'c2']) {
    const response = await agent.fetch(`${origin}/orders/${order}`, { method: 'POST' });
    await telling.answer(`POST /orders/${order}`, response, { status: 401, code: 'agent_suspended' });
  }
  const unfrozen = await countersign('unfreeze', 'agent', agent.id, '--store', redis);
  telling.note('shell', unfrozen.err.trim().split('; ')[0] ?? '');
  await setTimeout(everywhereMilliseconds);
  const response = await agent.fetch(`${origin}/orders/c3`, { method: 'POST' });
  await telling.answer('POST /orders/c3', response, { status: 201 });
}

async function crash({ agent, origin, supervisor }: World, telling: Telling): Promise<void> {
  telling.scene('One process is killed while forty orders are placed');
  const calls = Array.from({ length: 40 }, async (_, index) => {
    await setTimeout(index * 5);
    const { status } = await agent.fetch(`${origin}/orders/d${index}`, { method: 'POST' });
    return status;
  });
  await setTimeout(80);
  await supervisor.crash(1);
  const statuses = await Promise.all(calls);
  const placed = statuses.filter((status) => status === 201).length;
  const lost = statuses.filter((status) => status === 502).length;
  telling.insist(placed + lost === statuses.length && placed > 0, 'orders placed, or lost with the process');
  telling.note('placed', 'all orders that no crash met');
  telling.note('in between', '502: the log says which of them were allowed');
  await supervisor.ready();
  telling.note('restarted', 'process 1, with its slot and its log');
  const response = await agent.fetch(`${origin}/orders/e1`, { method: 'POST' });
  await telling.answer('POST /orders/e1', response, { status: 201 });
}

async function verify({ audit, supervisor }: World, telling: Telling): Promise<void> {
  telling.scene('No order was placed twice, and each log is whole');
  await supervisor.stop();
  const allowed: string[] = [];
  const recorded: string[] = [];
  for (const slot of supervisor.slots) {
    for await (const record of readAuditLog(`${audit}/${slot}`)) {
      if (record.phase === 'decision' && record.decision === 'allow') allowed.push(record.resource?.id ?? '');
      if (record.code !== undefined) recorded.push(record.code);
    }
  }
  telling.insist(new Set(allowed).size === allowed.length, 'each order allowed once at most');
  telling.insist(
    recorded.toSorted().join() === telling.refusals.toSorted().join(),
    'every refusal in the logs, and no other',
  );
  const verified = await countersign('audit', 'verify', audit);
  const verdicts = verified.out.split('\n').filter((text) => text.startsWith('The log is whole'));
  if (verified.code !== 0 || verdicts.length !== 2) throw new UnexpectedTurn(verified.out + verified.err);
  telling.note('shell', 'countersign audit verify: both logs are whole');
}
