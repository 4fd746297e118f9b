import type { Application, Framework } from './application.js';
import { type Creation, findCreations } from './creation.js';
import { usesGuard } from './guard-uses.js';
import { readMounts } from './mounts.js';
import { findRootModule } from './nest-edits.js';
import type { Source } from './sources.js';
import { isNode, keyOf, nodesIn, parsed } from './syntax.js';

/** The applications that the sources create. */
export interface Applications {
  /** Those that no other mounts: each needs the guard. */
  readonly roots: readonly Creation[];
  /** Those that another mounts, with the places where. The guard of the other one covers them. */
  readonly mounted: readonly Mounted[];
}

interface Mounted extends Creation {
  readonly by: readonly string[];
}

export function findApplications(sources: readonly Source[], framework: Framework): Applications {
  const all = framework === 'nestjs' ? [] : findCreations(sources, framework);
  // Fastify registers functions.
  if (all.length < 2 || framework === 'fastify') return { roots: all, mounted: [] };
  const { placesOf } = readMounts(sources);
  const read = all.map((creation) => ({ ...creation, by: placesOf(creation) }));
  return {
    roots: all.filter((_creation, place) => read[place]?.by.length === 0),
    mounted: read.filter(({ by }) => by.length > 0),
  };
}

/** A module that creates a guard, wherever a person has put it. */
const guardFiles = /(?:^|\/)guard\.[cm]?[jt]s$/;

/** The module of the guard: the one that is there, or where a new one goes. */
export function guardPathIn(sources: readonly Source[], typescript: boolean): string {
  const made = sources.find(({ path, text }) => guardFiles.test(path) && /\bcreateGuard\b/.test(text));
  const folder = sources.some(({ path }) => path.startsWith('src/')) ? 'src/' : '';
  return made?.path ?? `${folder}guard.${typescript ? 'ts' : 'js'}`;
}

/** Whether the file that gets the guard is TypeScript: Node runs what is beside it in the same way. */
export function isTypescript(
  sources: readonly Source[],
  { framework, typescript }: Application,
  { roots }: Applications,
): boolean {
  const root = framework === 'nestjs' ? findRootModule(sources) : roots[0]?.source;
  const guarded = sources.find(usesGuard) ?? root;
  if (guarded !== undefined) return isTypescriptFile(guarded);
  return sources.length === 0 ? typescript : sources.some(isTypescriptFile);
}

/** Whether the module of the guard lets people pass. */
export function expectsPeople(guard: Source | undefined): boolean {
  const program = guard === undefined ? undefined : parsed(guard);
  return (
    program !== undefined &&
    nodesIn(program).some(
      ({ node }) => keyOf(node) === 'traffic' && isNode(node['value']) && node['value']['value'] === 'mixed',
    )
  );
}

function isTypescriptFile({ path }: Source): boolean {
  return /\.[cm]?ts$/.test(path);
}
