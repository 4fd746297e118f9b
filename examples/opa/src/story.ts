import type { Signer } from '@countersign/agent';
import type { PolicyEngine } from '@countersign/core';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import { cases } from './cases.js';
import type { World } from './world.js';

export interface Engines {
  readonly opa: PolicyEngine;
  readonly cedar: PolicyEngine;
}

/**
 * Plays the story and tells it.
 *
 * @throws UnexpectedTurn as soon as a decision or an answer is not the expected one.
 */
export async function tellStory({ opa, cedar }: Engines, world: World, terminal: Terminal): Promise<void> {
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign with Open Policy Agent: one rule, in Rego and in Cedar'));
  await compare({ opa, cedar }, telling, terminal);
  await guardAnApi(world, telling);
  telling.heading('What the audit log says');
  line();
  printAuditTable(world.audit.records, terminal);
  const recorded = world.audit.records.flatMap(({ code }) => code ?? []);
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
}

async function compare({ opa, cedar }: Engines, telling: Telling, { line, good, bad, yes }: Terminal): Promise<void> {
  telling.scene('Both engines answer the same queries');
  for (const { title, query, expected } of cases) {
    const byOpa = await opa.decide(query);
    const byCedar = await cedar.decide(query);
    const paint = expected === 'allow' ? good : bad;
    line(`   ${good(yes)} ${title.padEnd(36)} OPA ${paint(byOpa.decision.padEnd(6))} Cedar ${paint(byCedar.decision)}`);
    for (const { decision, cause, errors } of [byOpa, byCedar]) {
      telling.insist(decision === expected && cause === 'policy', `${expected} by policy for ${title}: ${errors[0]}`);
    }
  }
}

async function guardAnApi({ origin, authority, agent }: World, telling: Telling): Promise<void> {
  telling.scene('OPA decides for an API: the agent acts for user_123');
  const scope = 'pr:write:draft';
  const forUser = agent.withToken(await authority.letAct({ user: 'user_123', agent, scope }));
  const open = (signer: Signer, repo: string) => signer.fetch(`${origin}/repos/${repo}/pulls`, { method: 'POST' });
  const path = 'POST /repos/acme/api/pulls';
  await telling.answer(path, await open(forUser, 'acme/api'), { status: 201 });
  const denied = { status: 403, code: 'policy_denied' };
  await telling.answer('POST /repos/acme/web/pulls', await open(forUser, 'acme/web'), denied);

  telling.scene('For another user, and for itself');
  const forOther = agent.withToken(await authority.letAct({ user: 'user_124', agent, scope }));
  await telling.answer(path, await open(forOther, 'acme/api'), denied);
  await telling.answer(path, await open(agent, 'acme/api'), denied);
}
