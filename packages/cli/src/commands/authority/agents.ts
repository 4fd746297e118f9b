import type { AgentStatus, NewKey } from '@countersign/authority';
import { isJsonObject, type JsonObject, member } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable, printableJson, show } from '../../text.js';
import { readKeyFile } from '../key-file.js';
import { readScopes } from '../scopes.js';
import { type AdminOptions, askAdmin } from './admin-api.js';

export type { AdminOptions };
export type Status = Exclude<AgentStatus, 'pending'>;

interface KeyOptions {
  readonly key?: string;
  readonly publicKey?: string;
}

export interface AddOptions extends AdminOptions, KeyOptions {
  readonly capabilities: string;
  readonly roles: string;
  readonly tags: string;
  readonly redirectUris: string;
  readonly owner?: string;
  readonly name?: string;
  readonly expires?: string;
  readonly pending: boolean;
}

export interface ListOptions extends AdminOptions {
  readonly tag?: string;
  readonly status?: string;
  readonly json: boolean;
}

export interface RotateOptions extends AdminOptions, KeyOptions {
  readonly overlap: string;
}

export interface StatusOptions extends AdminOptions {
  readonly tag?: string;
}

export async function add(id: string, options: AddOptions, io: Io): Promise<void> {
  const { owner, name, expires } = options;
  const agent = {
    id,
    ...(await readKey(options, io)),
    capabilities: readScopes('--capabilities', options.capabilities),
    roles: readNames(options.roles),
    tags: readNames(options.tags),
    redirectUris: readNames(options.redirectUris),
    ...(owner !== undefined && { owner }),
    ...(name !== undefined && { name }),
    ...(expires !== undefined && { expiresAt: readTime(expires) }),
    ...(options.pending && { status: 'pending' }),
  };
  print(await askAdmin(options, io, 'POST', '/agents', agent), io);
}

export async function list(options: ListOptions, io: Io): Promise<void> {
  const { tag, status } = options;
  const query = new URLSearchParams({ ...(tag !== undefined && { tag }), ...(status !== undefined && { status }) });
  const answer = await askAdmin(options, io, 'GET', `/agents?${query.toString()}`);
  const agents = listOf(answer, 'agents').filter(isJsonObject);
  if (options.json) {
    io.out(`${printableJson(agents)}\n`);
    return;
  }
  if (agents.length === 0) io.err('No agents.\n');
  const stops = listOf(answer, 'stops').map(show);
  if (stops.length > 0) io.err(`Workloads that come now are kept out: ${stops.join(', ')}.\n`);
  const rows = agents.map((agent) => [
    show(member(agent, 'id')),
    show(member(agent, 'status')),
    show(member(agent, 'owner') ?? '-'),
    listOf(agent, 'tags').map(show).join(',') || '-',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    io.out(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
  }
}

export async function showAgent(id: string, options: AdminOptions, io: Io): Promise<void> {
  print(await askAdmin(options, io, 'GET', pathOf(id)), io);
}

export async function rotate(id: string, options: RotateOptions, io: Io): Promise<void> {
  if (!/^\d{1,9}$/.test(options.overlap)) throw new CliError('--overlap must be whole seconds', exitCodes.usage);
  const key = { ...(await readKey(options, io)), overlapSeconds: Number(options.overlap) };
  print(await askAdmin(options, io, 'POST', `${pathOf(id)}/keys`, key), io);
}

/** Changes one agent, all with a tag, or the workloads below a pattern. */
export async function setStatus(status: Status, id: string | undefined, options: StatusOptions, io: Io): Promise<void> {
  const { tag } = options;
  if ((id === undefined) === (tag === undefined)) {
    throw new CliError('Name either one agent, or --tag TAG', exitCodes.usage);
  }
  const pattern = id !== undefined && /^spiffe:\/\/.*\/\*$/.test(id) ? id : undefined;
  if (id !== undefined && pattern === undefined) {
    await askAdmin(options, io, 'PATCH', pathOf(id), { status });
    io.out(`${printable(id)}\n`);
    return;
  }
  const named = pattern === undefined ? { tag } : { pattern };
  const changed = listOf(await askAdmin(options, io, 'PATCH', '/agents', { ...named, status }), 'changed');
  for (const each of changed) io.out(`${show(each)}\n`);
  io.err(`${changed.length} changed.\n`);
}

function pathOf(id: string): string {
  // The URL parser would take them for steps in the path.
  if (id === '' || id === '.' || id === '..') throw new CliError(`'${id}' is no id of an agent`, exitCodes.usage);
  return `/agents/${encodeURIComponent(id)}`;
}

/** Of a private key, only its public part. */
async function readKey({ key, publicKey }: KeyOptions, io: Io): Promise<NewKey> {
  if (publicKey !== undefined && key === undefined) return { publicKey };
  if (key !== undefined && publicKey === undefined) return { publicKey: (await readKeyFile(key, io)).publicKey };
  throw new CliError('Name its key, by one of --key and --public-key', exitCodes.usage);
}

function readNames(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

function readTime(text: string): number {
  const milliseconds = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(milliseconds))
    throw new CliError(`--expires: '${text}' is not like 2027-01-31T00:00:00Z`, exitCodes.usage);
  return Math.floor(milliseconds / 1000);
}

function listOf(answer: JsonObject, name: string): readonly unknown[] {
  const value = member(answer, name);
  return Array.isArray(value) ? value : [];
}

function print(value: object, io: Io): void {
  io.out(`${printableJson(value)}\n`);
}
