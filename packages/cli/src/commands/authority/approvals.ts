import { readRequirement, requirementText } from '@countersign/approval';
import { isJsonObject, type JsonObject, member } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { duration, moment, printable, printableJson, show } from '../../text.js';
import { type AdminOptions, askAdmin } from './admin-api.js';

export type { AdminOptions };

export interface ListOptions extends AdminOptions {
  readonly status: string;
  readonly agent?: string;
  readonly json: boolean;
}

export interface DenyOptions extends AdminOptions {
  readonly reason?: string;
}

export interface StatisticsOptions extends AdminOptions {
  readonly days: string;
  readonly json: boolean;
}

export interface BreakGlassOptions extends AdminOptions {
  readonly open: boolean;
}

export interface DeadLetterOptions extends AdminOptions {
  readonly retry: boolean;
}

export async function list(options: ListOptions, io: Io): Promise<void> {
  const { status, agent } = options;
  const query = new URLSearchParams({ status, ...(agent !== undefined && { agent }) });
  const answer = await askAdmin(options, io, 'GET', `/approvals?${query.toString()}`);
  const approvals = listOf(answer, 'approvals');
  if (member(answer, 'more') === true) io.err('There may be more. Name one agent with --agent.\n');
  if (options.json) {
    io.out(`${printableJson(approvals)}\n`);
    return;
  }
  if (approvals.length === 0) io.err('No requests.\n');
  table(
    approvals.map((approval) => {
      const request = objectOf(approval, 'request');
      const resource = objectOf(request, 'resource');
      return [
        show(member(approval, 'id')),
        show(member(approval, 'status')),
        show(member(approval, 'agent')),
        show(member(request, 'action')),
        `${show(member(resource, 'type'))}::${show(JSON.stringify(member(resource, 'id')))}`,
        groupsOf(request),
      ];
    }),
    io,
  );
}

export async function showOne(id: string, options: AdminOptions, io: Io): Promise<void> {
  const approval = await askAdmin(options, io, 'GET', pathOf(id));
  io.out(`${printableJson(approval)}\n`);
  const { format, problem } = objectOf(approval, 'body');
  if (format === 'hidden') io.err('The agent does not show the body.\n');
  if (format === 'bytes') io.err('The body is not text: nobody can read it here.\n');
  if (format === 'unknown') io.err(`It is not known how the API reads the body: ${show(problem)}.\n`);
}

export async function deny(id: string, { reason, ...options }: DenyOptions, io: Io): Promise<void> {
  const body = reason === undefined ? {} : { reason };
  const { status } = await askAdmin(options, io, 'POST', `${pathOf(id)}/denial`, body);
  io.out(`${show(status)}\n`);
}

export async function statistics(options: StatisticsOptions, io: Io): Promise<void> {
  if (!/^[1-9]\d?$/.test(options.days) || Number(options.days) > 90)
    throw new CliError('--days must be 1 to 90', exitCodes.usage);
  const answer = await askAdmin(options, io, 'GET', `/approvals/statistics?days=${options.days}`);
  if (options.json) {
    io.out(`${printableJson(answer)}\n`);
    return;
  }
  const counts = ['asked', 'approved', 'denied', 'expired', 'withdrawn'].map(
    (name) => `${show(member(answer, name))} ${name}`,
  );
  const emergencies = countOf(member(answer, 'brokeGlass'), 'emergency', 'emergencies');
  io.out(`${[...counts, `${show(member(answer, 'pending'))} waiting`, emergencies].join(', ')}\n`);
  const half = member(answer, 'medianSeconds');
  if (typeof half === 'number') io.out(`Half of them were decided within ${duration(half)}.\n`);
  const rows = listOf(answer, 'approvers').map((one) => [
    show(member(one, 'approver')),
    countOf(member(one, 'decisions'), 'decision', 'decisions'),
    `${Math.round(Number(member(one, 'approveRate')) * 100)} % approved`,
    `half within ${duration(Number(member(one, 'medianSeconds')))}`,
    demandOf(one),
  ]);
  table(rows, io);
}

function demandOf(approver: JsonObject): string {
  const requirement = readRequirement(member(approver, 'requirement'));
  return requirement.ok ? `for ${printable(requirementText(requirement.value))}` : '';
}

function countOf(count: unknown, one: string, several: string): string {
  return `${show(count)} ${count === 1 ? one : several}`;
}

/** Exits with 3 if `--open` finds an emergency that nobody reviewed. */
export async function breakGlass(options: BreakGlassOptions, io: Io): Promise<void> {
  const all = listOf(await askAdmin(options, io, 'GET', '/approvals?status=break-glass'), 'approvals');
  const shown = all.filter((approval) => !options.open || member(approval, 'reviewedBy') === undefined);
  if (shown.length === 0) io.err(options.open ? 'Nothing to review.\n' : 'No emergencies.\n');
  const now = io.clock() / 1000;
  for (const approval of shown) {
    const request = objectOf(approval, 'request');
    const decision = listOf(approval, 'decisions').find((one) => member(one, 'verdict') === 'break_glass') ?? {};
    const reviewer = member(approval, 'reviewedBy');
    io.out(
      `${show(member(approval, 'id'))}  ${show(member(approval, 'agent'))} ${show(member(request, 'action'))}
  approved by ${show(member(decision, 'approver'))} ${moment(member(decision, 'decidedAt'), now)}: ${show(member(decision, 'reason'))}
  ${reviewer === undefined ? 'not reviewed' : `reviewed by ${show(reviewer)}`}
`,
    );
  }
  if (options.open && shown.length > 0) {
    throw new CliError(`${shown.length} to review, on the pages of the authority`, exitCodes.unproven);
  }
}

export async function deadLetters({ retry, ...options }: DeadLetterOptions, io: Io): Promise<void> {
  if (retry) {
    const { retried } = await askAdmin(options, io, 'POST', '/approvals/dead-letters', {});
    io.err(`${show(retried)} to send again.\n`);
    return;
  }
  const letters = listOf(await askAdmin(options, io, 'GET', '/approvals/dead-letters'), 'deadLetters');
  if (letters.length === 0) io.err('None.\n');
  const now = io.clock() / 1000;
  table(
    letters.map((letter) => [
      show(member(letter, 'approvalId')),
      show(member(letter, 'channel')),
      show(member(letter, 'event')),
      show(member(letter, 'problem')),
      moment(member(letter, 'createdAt'), now),
    ]),
    io,
  );
}

function table(rows: readonly (readonly string[])[], io: Io): void {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns - 1 }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of rows) io.out(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
}

function groupsOf(request: JsonObject): string {
  const quorums = listOf(objectOf(request, 'requirement'), 'quorums');
  return quorums
    .map((quorum) => {
      const groups = member(quorum, 'groups');
      return `${show(member(quorum, 'count'))} of ${Array.isArray(groups) ? groups.map(show).join('|') : '?'}`;
    })
    .join(', ');
}

/** Ids are of letters, digits, `-` and `_`: anything else would be another path. */
function pathOf(id: string): string {
  if (!/^[\w-]{1,256}$/.test(id)) throw new CliError(`'${id}' is no id of an approval`, exitCodes.usage);
  return `/approvals/${id}`;
}

export function listOf(value: JsonObject, name: string): readonly JsonObject[] {
  const list = member(value, name);
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

export function objectOf(value: JsonObject, name: string): JsonObject {
  const object = member(value, name);
  return isJsonObject(object) ? object : {};
}
