import { member } from '@countersign/common';
import type { CedarEngine } from '@countersign/core';
import { exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printableJson } from '../../text.js';
import { type Filter, filterFor, type FilterOptions } from '../audit/filter.js';
import { logsIn } from '../audit/logs.js';
import { mergedLogs } from '../audit/merged-logs.js';
import { countText, wrapText } from './lines.js';
import { loadPolicies } from './load.js';
import { type Agents, answersTo, type Decided, decidedBy, readAgents, replayed } from './replayed.js';
import { type IsSettled, settledBy } from './unlogged.js';

export interface ReplayOptions extends Pick<FilterOptions, 'since' | 'until' | 'actor' | 'action'> {
  readonly log: readonly string[];
  readonly agents?: string;
  readonly json: boolean;
}

/** Decisions that differ alike. */
interface Change {
  readonly was: Decided;
  readonly now: Decided;
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  /** Those that decide now. */
  readonly policies: readonly string[];
  count: number;
  /** The first such record of its log. */
  readonly sequence: number;
}

/** How many records there are of each kind. */
interface Counts {
  /** These policies decided them. */
  replayed: number;
  differ: number;
  /** Refused before policy was asked. */
  beforePolicy: number;
  /** Lists that were filtered: a log does not have their rows. */
  lists: number;
  unknownAgents: number;
  /** The same policies decided otherwise, by what is not in the log. */
  unsure: number;
  /** People had to approve, and have to now: a log does not have who. */
  approvals: number;
  /** The policies or their schema need what is not in the log. */
  failed: number;
  /** Redaction or a limit of length took a part of the question. */
  incomplete: number;
  unreadable: number;
}

/** Most changes that are kept apart; what follows is only counted. */
const mostChanges = 1000;

/** Puts the decisions of a log to other policies, and shows which would differ. Returns the exit code. */
export async function replay(folder: string, options: ReplayOptions, io: Io): Promise<number> {
  const { log, agents: agentsFile, json, ...filters } = options;
  const filter = filterFor(filters, io.clock());
  const engine = await loadPolicies(folder);
  const agents = agentsFile === undefined ? undefined : await readAgents(agentsFile);
  const logs = await logsIn(log);
  const result = await replayAll(
    logs.map(({ directory }) => directory),
    { engine, agents, filter, isSettled: await settledBy(engine, folder) },
  );
  io.out(
    json
      ? `${printableJson({ ...result.counts, changes: result.changes })}\n`
      : asText(result, coloursFor(io.colour.out)),
  );
  if (!json) io.err(caution(result.counts, agents));
  return isProven(result.counts) ? exitCodes.ok : exitCodes.unproven;
}

interface Result {
  readonly counts: Counts;
  readonly changes: readonly Change[];
}

function untold({ lists, unknownAgents, unsure, approvals, failed, incomplete, unreadable }: Counts): number {
  return lists + unknownAgents + unsure + approvals + failed + incomplete + unreadable;
}

/** Whether no decision would differ. Without a single one that was replayed, nothing is known. */
function isProven(counts: Counts): boolean {
  return counts.replayed > 0 && counts.differ === 0 && untold(counts) === 0;
}

interface ReplayParts {
  readonly engine: CedarEngine;
  readonly agents: Agents | undefined;
  readonly filter: Filter;
  readonly isSettled: IsSettled;
}

async function replayAll(
  folders: readonly string[],
  { engine, agents, filter, isSettled }: ReplayParts,
): Promise<Result> {
  const none = { beforePolicy: 0, lists: 0, unknownAgents: 0, unsure: 0, approvals: 0, failed: 0 };
  const counts: Counts = { replayed: 0, differ: 0, ...none, incomplete: 0, unreadable: 0 };
  const changes = new Map<string, Change>();
  for await (const lines of mergedLogs(folders)) {
    for (const { line } of lines) {
      const record = line.line?.record;
      if (record === undefined || member(record, 'phase') !== 'decision' || !filter(record)) continue;
      const one = replayed(record, agents, engine.scopeVocabulary);
      if (typeof one === 'string') {
        counts[one] += 1;
        continue;
      }
      const answers = answersTo(one, engine);
      const now = decidedBy(answers);
      // Also if it was an error then: that one may have had another cause.
      if (now === 'error') {
        counts.failed += 1;
        continue;
      }
      if (one.policySet === engine.policySet) {
        if (now !== one.was) {
          counts.unsure += 1;
          continue;
        }
      } else if (!answers.every(({ query, decision }) => isSettled(query, decision))) {
        counts.failed += 1;
        continue;
      } else if (now === 'approval' && one.was === 'approval') {
        counts.approvals += 1;
        continue;
      }
      counts.replayed += 1;
      if (now === one.was) continue;
      counts.differ += 1;
      const { principal, action, resource } = one.query;
      const shown = `${resource.type}::"${resource.id}"`;
      const policies = [...new Set(answers.flatMap(({ decision }) => decision.policies))];
      const key = JSON.stringify([one.was, now, principal.id, action, shown, policies]);
      const known = changes.get(key);
      if (known !== undefined) known.count += 1;
      else if (changes.size < mostChanges) {
        const change = { was: one.was, now, actor: principal.id, action, resource: shown, policies };
        changes.set(key, { ...change, count: 1, sequence: Number(member(record, 'sequence')) });
      }
    }
  }
  return { counts, changes: [...changes.values()].toSorted((one, other) => other.count - one.count) };
}

function asText({ counts, changes }: Result, colours: Colours): string {
  const rows = changes.map((change) => row(change, colours)).join('');
  const head = changes.length === 0 ? '' : `${colours.bold('COUNT  WAS       NOW       WHO, WHAT')}\n`;
  const listed = changes.reduce((sum, { count }) => sum + count, 0);
  const more = listed < counts.differ ? `${counts.differ - listed} more differ in other ways.\n` : '';
  const rest = untold(counts) === 0 ? '' : ` ${untold(counts)} cannot be told.`;
  const verdict = `${counts.differ} of ${countText(counts.replayed, 'decision')} would differ.${rest}`;
  return `${head}${rows}${more}${(isProven(counts) ? colours.green : colours.yellow)(verdict)}\n`;
}

function row({ count, was, now, actor, action, resource, policies, sequence }: Change, colours: Colours): string {
  const decided = colours[now === 'allow' ? 'red' : 'yellow'](now.padEnd(8));
  const by = policies.length === 0 ? 'no policy permits it' : `by ${policies.join(', ')}`;
  const text = `${actor}: ${action} on ${resource}, first in record ${sequence}; ${by}`;
  return `${String(count).padStart(5)}  ${was.padEnd(8)}  ${decided}  ${wrapText(text, ' '.repeat(27)).trimStart()}`;
}

function caution(counts: Counts, agents: Agents | undefined): string {
  const { beforePolicy, lists, unknownAgents, unsure, approvals, failed, incomplete, unreadable } = counts;
  const notes = [
    [beforePolicy, 'not replayed: refused before policy was asked.'],
    [lists, 'cannot be told: lists, whose rows are not in a log.'],
    [unknownAgents, 'cannot be told: their agents, and so their roles, are not in --agents.'],
    [unsure, 'cannot be told: these very policies decided otherwise then.'],
    [approvals, 'cannot be told: people had to approve, and have to now; a log does not say who.'],
    [failed, 'cannot be told: the policies or their schema need what a log does not have.'],
    [incomplete, 'cannot be told: redacted or cut.'],
    [unreadable, 'cannot be read.'],
  ] as const;
  const counted = notes
    .filter(([count]) => count > 0)
    .map(([count, note]) => `${countText(count, 'record')} ${note}\n`);
  const roles =
    agents === undefined ? 'Without --agents, no agent has a role, and its capabilities are its scope.\n' : '';
  return `${counted.join('')}${roles}A log has no attributes or parents of resources, and no authorization details.\n`;
}
