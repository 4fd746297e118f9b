import type { Revocable } from '@countersign/core';
import type { Freezable, SharedRevocations } from '@countersign/stores';
import { CliError, exitCodes } from '../../cli-error.js';
import { coloursFor, type Io } from '../../io.js';
import { printable } from '../../text.js';
import { openStore, type StoreOptions } from './open-store.js';

export interface RevokeOptions extends StoreOptions {
  readonly issuer?: string;
  readonly until?: string;
}

export async function revoke(kind: string, id: string, options: RevokeOptions, io: Io): Promise<void> {
  const until = options.until === undefined ? undefined : readTime(options.until);
  const revocation = { ...revocable(kind, id, options), ...(until !== undefined && { until }) };
  await change(options, io, async (store) => await store.revoke(revocation));
  inForce(`${kind} ${id} is revoked`, io);
}

export async function restore(kind: string, id: string, options: RevokeOptions, io: Io): Promise<void> {
  await takeBack(options, io, async (store) => await store.restore(revocable(kind, id, options)));
  inForce(`${kind} ${id} is not revoked any more`, io);
}

export async function freeze(kind: string, id: string | undefined, options: StoreOptions, io: Io): Promise<void> {
  const what = freezable(kind, id);
  await change(options, io, async (store) => await store.freeze(what));
  inForce(`${nameOf(kind, id)} is frozen`, io);
  if (kind !== 'tenant' || id?.includes('://') !== true) return;
  io.err(
    'This stops what rests on tokens and approvals of exactly this issuer. Agents that act for themselves name no issuer: freeze what their ids begin with, too.\n',
  );
}

export async function unfreeze(kind: string, id: string | undefined, options: StoreOptions, io: Io): Promise<void> {
  const what = freezable(kind, id);
  let others: readonly string[] = [];
  await takeBack(options, io, async (store) => {
    await store.unfreeze(what);
    others = store.list().flatMap(({ name }) => frozenIn(name));
  });
  const rest = others.length === 0 ? 'nothing else is' : `still frozen: ${others.join(', ')}`;
  inForce(`The freeze of ${nameOf(kind, id)} has ended; ${rest}, and what is revoked stays so`, io);
}

export async function begin(options: StoreOptions, io: Io): Promise<void> {
  const { revocations, close } = await openStore(options, io, { begin: true });
  const count = revocations.list().length;
  await close();
  io.err(`The list of revocations is there. It has ${count} ${count === 1 ? 'entry' : 'entries'}.\n`);
}

export async function list(options: StoreOptions & { readonly json: boolean }, io: Io): Promise<void> {
  const { revocations, close } = await openStore(options, io);
  const entries = revocations.list();
  await close();
  for (const { name, until } of entries) {
    const [kind = '', ...rest] = JSON.parse(name) as readonly string[];
    if (options.json)
      io.out(`${JSON.stringify({ revoked: [kind, ...rest], ...(until !== undefined && { until }) })}\n`);
    else
      io.out(`${inWords(kind, rest)}${until === undefined ? '' : `  until ${new Date(until * 1000).toISOString()}`}\n`);
  }
  io.err(`${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}.\n`);
}

function frozenIn(name: string): readonly string[] {
  const [kind = '', ...what] = JSON.parse(name) as readonly string[];
  return kind === 'frozen' ? [what[0] === '' ? 'everything' : what.join(' ')] : [];
}

function inWords(kind: string, [first = '', second]: readonly string[]): string {
  const what = kind === 'frozen' && first === '' ? 'everything' : [first, second].filter((part) => part !== undefined);
  const words = Array.isArray(what) ? what.map(printable).join(kind === 'frozen' ? ' ' : '  of issuer ') : what;
  return `${kind.padEnd(10)}  ${words}`;
}

async function change(
  options: StoreOptions,
  io: Io,
  make: (revocations: SharedRevocations) => Promise<void>,
): Promise<void> {
  const { revocations, close } = await openStore(options, io);
  try {
    await make(revocations);
  } finally {
    await close();
  }
}

/** Who names it in another way, such as without its issuer, must learn that nothing changed. */
async function takeBack(
  options: StoreOptions,
  io: Io,
  make: (revocations: SharedRevocations) => Promise<void>,
): Promise<void> {
  await change(options, io, async (store) => {
    const before = store.list();
    await make(store);
    const names = new Set(store.list().map(({ name }) => name));
    if (before.some(({ name }) => !names.has(name))) return;
    throw new CliError("nothing has changed: it is not in the list. See 'countersign revocations list'");
  });
}

function inForce(what: string, io: Io): void {
  const { green } = coloursFor(io.colour.err);
  io.err(`${green(`${printable(what)}.`)} In force within a second in every process that shares this store.\n`);
}

function nameOf(kind: string, id: string | undefined): string {
  return id === undefined ? kind : `${kind} ${id}`;
}

/** The store checks what it says. */
function revocable(kind: string, id: string, { issuer }: RevokeOptions): Revocable {
  return { [kind]: id, ...(issuer !== undefined && { issuer }) } as unknown as Revocable;
}

function freezable(kind: string, id: string | undefined): Freezable {
  if (kind === 'everything') {
    if (id !== undefined) throw new CliError("'everything' has no id", exitCodes.usage);
    return { everything: true };
  }
  if (id === undefined) throw new CliError(`name the ${kind}`, exitCodes.usage);
  return kind === 'tenant' ? { tenant: id } : { agent: id };
}

function readTime(text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const milliseconds = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) throw new CliError('--until must be like 2027-01-31T00:00:00Z', exitCodes.usage);
  return Math.ceil(milliseconds / 1000);
}
