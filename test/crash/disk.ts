import { dirname } from 'node:path';

/** One file operation or message of a process, recorded by recorder.mjs. */
export type Happening =
  | { readonly op: 'folder' | 'create' | 'remove' | 'sync'; readonly path: string }
  | { readonly op: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly op: 'write'; readonly path: string; readonly at: number /** In base64. */; readonly data: string }
  | { readonly op: 'truncate'; readonly path: string; readonly size: number }
  /** `since`: the start of this sync. It need not include later writes. */
  | { readonly op: 'synced'; readonly path: string; readonly since: number }
  | { readonly op: 'acknowledged'; readonly id: string }
  | { readonly op: 'witnessed'; readonly checkpoint: string };

/** The files below a folder, by their path from there, and the folders as `undefined`. */
export type Image = ReadonlyMap<string, Buffer | undefined>;

/** From 0 up to, and not including, 1. */
export type Chance = () => number;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly size: number };

interface Pending<What> {
  readonly time: number;
  readonly what: What;
}

/** `changes` is undefined for a folder. */
interface Inode {
  readonly isFolder: boolean;
  durable: Buffer;
  pending: Pending<Change>[];
}

/** Names that change atomically, as by a rename, with their new targets. */
type Renaming = readonly (readonly [path: string, inode: Inode | undefined])[];

/** Which syncs a disk honours; if not all, records are lost, and a test of logs must notice. */
export type Honours = 'all syncs' | 'syncs of folders' | 'syncs of files';

/**
 * Models a disk with the guarantees of POSIX only. After a power loss a file has the content of its last sync, and its
 * name if its folder was synced since. Any part of later changes may be present, or none.
 */
export class Disk {
  readonly #honours: Honours;
  readonly #names = new Map<string, Inode>();
  readonly #durableNames: Map<string, Inode>;
  #renamings: Pending<Renaming>[] = [];

  constructor(start: Image, honours: Honours = 'all syncs') {
    this.#honours = honours;
    for (const [path, bytes] of start)
      this.#names.set(path, { ...newInode(bytes === undefined), durable: bytes ?? none });
    this.#durableNames = new Map(this.#names);
  }

  happen(happening: Happening, time: number): void {
    switch (happening.op) {
      case 'folder':
      case 'create':
        return this.#rename(time, [[happening.path, newInode(happening.op === 'folder')]]);
      case 'remove':
        return this.#rename(time, [[happening.path, undefined]]);
      case 'link':
        return this.#rename(time, [[happening.to, this.#names.get(happening.from)]]);
      case 'rename':
        return this.#rename(time, [
          [happening.from, undefined],
          [happening.to, this.#names.get(happening.from)],
        ]);
      case 'write':
        return this.#change(time, happening.path, { at: happening.at, bytes: Buffer.from(happening.data, 'base64') });
      case 'truncate':
        return this.#change(time, happening.path, { size: happening.size });
      case 'synced':
        return this.#sync(happening.path, happening.since);
      default:
    }
  }

  /** The folder without a power loss. */
  whole(): Image {
    return this.#image(this.#names, ({ durable, pending }) =>
      pending.reduce((file, { what }) => changed(file, what), durable),
    );
  }

  /** The minimal folder: synced content only. */
  least(): Image {
    return this.#image(this.#durableNames, ({ durable }) => durable);
  }

  /** One of the many folders that a power loss may leave. */
  afterPowerLoss(chance: Chance): Image {
    const names = new Map(this.#durableNames);
    // A journal would keep them in order, but POSIX does not require one.
    const kept = chance() < 0.5 ? prefix(this.#renamings, chance) : this.#renamings.filter(() => chance() < 0.5);
    for (const { what } of kept) setAll(names, what);
    return this.#image(names, (inode) => (chance() < 0.5 ? tornInOrder(inode, chance) : tornAnywhere(inode, chance)));
  }

  #rename(time: number, what: Renaming): void {
    setAll(this.#names, what);
    this.#renamings.push({ time, what });
  }

  #change(time: number, path: string, what: Change): void {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`${path} was changed, but never made`);
    inode.pending.push({ time, what });
  }

  #sync(path: string, since: number): void {
    const inode = this.#names.get(path);
    if (path === root || inode?.isFolder) {
      if (this.#honours === 'syncs of files') return;
      const isOf = ({ time, what }: Pending<Renaming>) => time < since && what.some(([name]) => dirname(name) === path);
      for (const { what } of this.#renamings.filter(isOf)) setAll(this.#durableNames, what);
      this.#renamings = this.#renamings.filter((one) => !isOf(one));
    } else if (inode !== undefined && this.#honours !== 'syncs of folders') {
      for (const { time, what } of inode.pending) if (time < since) inode.durable = changed(inode.durable, what);
      inode.pending = inode.pending.filter(({ time }) => time >= since);
    }
  }

  #image(names: ReadonlyMap<string, Inode>, content: (inode: Inode) => Buffer): Image {
    const image = new Map<string, Buffer | undefined>();
    const contents = new Map<Inode, Buffer>();
    for (const [path, inode] of [...names].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
      // A removed folder loses its files.
      if (dirname(path) !== root && !image.has(dirname(path))) continue;
      if (!inode.isFolder && !contents.has(inode)) contents.set(inode, content(inode));
      image.set(path, contents.get(inode));
    }
    return image;
  }
}

const none = Buffer.alloc(0);
/** Of a path without a folder. */
const root = '.';

function newInode(isFolder: boolean): Inode {
  return { isFolder, durable: none, pending: [] };
}

function setAll(names: Map<string, Inode>, renaming: Renaming): void {
  for (const [path, inode] of renaming) {
    if (inode === undefined) names.delete(path);
    else names.set(path, inode);
  }
}

function changed(file: Buffer, change: Change): Buffer {
  if ('size' in change) return resized(file, change.size);
  const grown = resized(file, Math.max(file.length, change.at + change.bytes.length));
  change.bytes.copy(grown, change.at);
  return grown;
}

/** A copy, padded with zeros. */
function resized(file: Buffer, size: number): Buffer {
  const copy = Buffer.alloc(size);
  file.copy(copy, 0, 0, size);
  return copy;
}

/** The first changes and the beginning of the next; if it extends the file, perhaps followed by zeros. */
function tornInOrder({ durable, pending }: Inode, chance: Chance): Buffer {
  const kept = prefix(pending, chance);
  const file = kept.reduce((before, { what }) => changed(before, what), durable);
  const torn = pending[kept.length]?.what;
  if (torn === undefined || 'size' in torn) return file;
  const begun = changed(file, { at: torn.at, bytes: torn.bytes.subarray(0, upTo(torn.bytes.length, chance)) });
  return chance() < 0.5 ? begun : resized(begun, Math.max(begun.length, torn.at + torn.bytes.length));
}

/** Each block as of some moment since the last sync, and the size as of another. */
function tornAnywhere({ durable, pending }: Inode, chance: Chance): Buffer {
  const versions = [durable];
  for (const { what } of pending) versions.push(changed(versions.at(-1) ?? none, what));
  const any = (): Buffer => versions[upTo(versions.length - 1, chance)] ?? none;
  const file = Buffer.alloc(any().length);
  const block = chance() < 0.5 ? 512 : 4096;
  for (let at = 0; at < file.length; at += block)
    any()
      .subarray(at, at + block)
      .copy(file, at);
  return file;
}

function prefix<Item>(list: readonly Item[], chance: Chance): readonly Item[] {
  return list.slice(0, upTo(list.length, chance));
}

/** A whole number from 0 to `most`. */
function upTo(most: number, chance: Chance): number {
  return Math.floor(chance() * (most + 1));
}

/** The same numbers for the same seed. */
export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
