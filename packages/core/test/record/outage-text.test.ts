import { memoryAudit } from '@countersign/audit';
import { expect, it } from 'vitest';
import { agentsFromDatabase } from '../../src/keys/agents-from-database.js';
import type { GuardOptions } from '../../src/options/guard-options.js';
import { engine, guarded, permission, registrations, signedRequest } from '../guarded.js';

const secret = 's3cr3t-pw';
const fail = (): Promise<never> => Promise.reject(new TypeError(`connect postgres://api:${secret}@10.2.3.4/agents`));
const fine = async () => registrations[0];

it.each<[string, Partial<GuardOptions>, string]>([
  ['a database of agents', { agents: agentsFromDatabase(fail) }, 'keys_unavailable'],
  ['a directory', { agents: { findByThumbprint: fail, statusOf: fail } }, 'keys_unavailable'],
  ['a replay store', { replay: { reserve: fail } }, 'replay_store_unavailable'],
  ['a source of revocations', { revocations: [{ findRevoked: fail }] }, 'revocations_unavailable'],
  ['a policy engine', { policy: engine(fail) }, 'policy_unavailable'],
])('the error text of %s goes to the operator, and into no record [F2]', async (_title, options, code) => {
  const troubles: string[] = [];
  const audit = memoryAudit();
  const { guard } = await guarded({
    agents: agentsFromDatabase(fine),
    ...options,
    audit,
    onTrouble: (trouble) => void troubles.push(trouble),
  });
  const answer = await guard.authenticate(await signedRequest());
  if (answer.ok && answer.caller !== undefined) await guard.authorize(answer.caller, permission);
  expect(audit.records.at(-1)).toMatchObject({ code, detail: expect.stringContaining('TypeError') });
  expect(JSON.stringify(audit.records)).not.toContain(secret);
  expect(troubles.join('\n')).toContain(secret);
});
