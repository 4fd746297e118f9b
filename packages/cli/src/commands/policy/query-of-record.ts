import { member } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import { mergedLogs } from '../audit/merged-logs.js';
import { requireLog } from '../audit/sources.js';
import { readAgents, type Replayed, replayed } from './replayed.js';

const whyNot = {
  beforePolicy: 'is no decision of policy: its code says why it was refused',
  lists: 'is of a list, whose rows are not in the log',
  unknownAgents: 'is of an agent that --agents does not name',
  incomplete: 'was redacted or cut, so that the question is not known',
  unreadable: 'has no request that a guard could put to policy',
} as const;

/**
 * The question that policy was asked for a record of an audit log, and what it answered.
 *
 * @throws CliError if there is no such record, or the question is not known.
 */
export async function queryOfRecord(
  log: string,
  record: string,
  agentsFile: string | undefined,
  vocabulary: readonly string[],
): Promise<Replayed> {
  await requireLog(log);
  const agents = agentsFile === undefined ? undefined : await readAgents(agentsFile);
  for await (const lines of mergedLogs([log])) {
    for (const { line } of lines) {
      const one = line.line?.record;
      if (one === undefined || String(member(one, 'sequence')) !== record) continue;
      const question = member(one, 'phase') === 'decision' ? replayed(one, agents, vocabulary) : 'beforePolicy';
      if (typeof question !== 'string') return question;
      throw new CliError(`record ${record} ${whyNot[question]}`, exitCodes.usage);
    }
  }
  throw new CliError(`${log} has no record ${record}`, exitCodes.usage);
}
