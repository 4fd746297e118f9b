import type { Creation } from './creation.js';
import type { RouterCall } from './calls.js';
import {
  type File,
  fileOf,
  isNamedIn,
  join,
  type Mention,
  mentionsIn,
  mountAt,
  pathOfUse,
  type Use,
} from './mentions.js';
import { shownPlace, type Source } from './sources.js';
import type { Taker } from './takers.js';

export interface Mounts {
  /** The path at which the router of a call is mounted, with that of all routers above it; undefined if it cannot be read. */
  readonly pathOf: ReadMount;
  /** Where others mount an application; empty if anything else is done with it, such as `listen`. */
  readonly placesOf: (creation: Creation) => readonly string[];
  /** What a router, or what a function gets as one, is mounted on. */
  readonly mountedOn: (source: Source, owner: string, at: number) => readonly MountedOn[];
}

interface MountedOn {
  readonly source: Source;
  readonly owner: string;
  readonly at: number;
}

export type ReadMount = (source: Source, call: RouterCall) => string | undefined;

/**
 * Reads `use('/path', router)`, `register(plugin, { prefix: '/path' })` and `routes(app)` of files that import each other.
 * A router that is named in any other way, or has two paths, is one whose path only a person knows.
 */
export function readMounts(sources: readonly Source[]): Mounts {
  const files = new Map(sources.map((source) => [source, fileOf(source, sources)]));
  const mentions = [...files.values()].flatMap((file) => mentionsIn(file, files));
  const known = new Map<string, string | undefined>();

  function pathOf(source: Source, owner: string, at: number): string | undefined {
    const file = files.get(source);
    const taker = file && takerOf(file, owner, at);
    const key = `${source.path} ${owner} ${taker?.start}`;
    if (known.has(key)) return known.get(key);
    // A router that is mounted on itself has no path.
    known.set(key, undefined);
    const path = file === undefined ? undefined : find(file, owner, taker);
    known.set(key, path);
    return path;
  }

  /** `app.use('/path', Router().get(…))` */
  function pathOfCall(
    source: Source,
    { owner, at, madeAt }: Pick<RouterCall, 'owner' | 'at' | 'madeAt'>,
  ): string | undefined {
    const file = madeAt === undefined ? undefined : files.get(source);
    const mount = file && mountAt(file, madeAt ?? at, at);
    if (mount?.isUse !== true) return pathOf(source, owner, at);
    return join(pathOfCall(source, mount), mount.path);
  }

  function find(file: File, owner: string, taker: Taker | undefined): string | undefined {
    const { source, created, imports } = file;
    const inline = taker && inlineOf(file, taker);
    if (inline !== undefined) {
      const { owner: outer, at, prefix } = inline.call;
      return join(join(pathOf(source, outer, at), prefix), pathOfUse(source, inline, inline.given[0]));
    }
    const isRouter = taker !== undefined || owner === '' || created.has(owner);
    const imported = isRouter ? undefined : imports.find(({ names }) => names.includes(owner));
    if (imported !== undefined) return imported.target && pathOfExport(imported.target, owner);
    const needsMount = isRouter || /rout(?:er|es)$/i.test(owner);
    const all = mentions.filter(({ target, mount }) => target === source && (needsMount || mount?.isUse === true));
    const paths = ofName(all, file, taker?.name ?? owner).map(
      ({ source: above, mount }) => mount && join(pathOf(above, mount.owner, mount.at), mount.path),
    );
    if (paths.length === 0) return needsMount ? undefined : '';
    return new Set(paths).size === 1 ? paths[0] : undefined;
  }

  /** A default export may have another name in its file. */
  function pathOfExport(source: Source, name: string): string | undefined {
    const created = [...(files.get(source)?.created.keys() ?? [])];
    if (created.includes(name) || created.length === 0) return pathOf(source, name, -1);
    const [only = '', other] = created;
    return other === undefined ? pathOf(source, only, -1) : undefined;
  }

  function placesOf({ source, at, named }: Creation): readonly string[] {
    const file = files.get(source);
    const name = named?.name.split('.').at(-1);
    if (file === undefined || file.listening.has(name ?? '')) return [];
    const here = { source, mount: mountAt(file, at, at + 1) };
    const all = mentions.filter(({ target }) => target === source);
    const found = name === undefined ? [here] : ofName(all, file, name);
    const isMounted = found.every(({ mount }) => mount?.isUse === true);
    return isMounted ? found.flatMap(({ source: above, mount }) => (mount ? [shownPlace(above, mount.at)] : [])) : [];
  }

  function mountedOn(source: Source, owner: string, at: number): readonly MountedOn[] {
    const file = files.get(source);
    if (file === undefined) return [];
    const taker = takerOf(file, owner, at);
    const inline = taker && inlineOf(file, taker);
    if (inline !== undefined) return [{ source, owner: inline.call.owner, at: inline.call.at }];
    const all = mentions.filter(({ target }) => target === source);
    return ofName(all, file, taker?.name ?? owner).flatMap(({ source: above, mount }) =>
      mount === undefined ? [] : [{ source: above, owner: mount.owner, at: mount.at }],
    );
  }

  return { pathOf: pathOfCall, placesOf, mountedOn };
}

/** The function that gets a router by this name. */
function takerOf({ takers }: File, owner: string, at: number): Taker | undefined {
  const named = takers.filter(({ names }) => names.includes(owner));
  return (
    named.findLast(({ start, end }) => at >= start && at < end) ?? named.find(({ name }) => name === 'constructor')
  );
}

/** Where the function itself is what is registered. */
function inlineOf(file: File, taker: Taker): Use | undefined {
  return file.uses.find((use) => isInline(use, taker, file));
}

/** Of what names the routers of a file, that which may be one of them: a default export may have any name elsewhere. */
function ofName(mentions: readonly Mention[], file: File, name: string): readonly Mention[] {
  const own = mentions.filter((mention) => mention.name === name);
  const others = mentions.filter((mention) => !isNamedIn(file, mention.name));
  return own.some(({ source }) => source === file.source) ? own : [...own, ...others];
}

/** Whether the function itself is what is registered. */
function isInline({ call, given: [plugin] }: Use, { at }: Taker, { code }: File): boolean {
  if (call.method !== 'register' || plugin === undefined || at < plugin.start) return false;
  return /^(?:async)?(?:function\w*)?$/.test(code.slice(plugin.start, at).replaceAll(/\s/g, ''));
}
