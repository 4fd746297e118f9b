import { ConfigError } from '../config-error.js';
import type { AgentDirectory, KeyLookup } from './directory.js';

/**
 * Several directories as one, in the order of trust: an earlier one can never be shadowed. A key counts for the first
 * directory that holds it, and only if no directory before that one knows an agent of the same name; otherwise it is
 * unknown. A directory that cannot be asked makes the answer `unavailable`, unless an earlier one has already given it.
 *
 * @throws ConfigError when there is nothing to combine.
 *
 * @example
 * const agents = combine(
 *   await agentsFromFile('agents.json'),
 *   agentsFromSignatureDirectory('https://crawler.example', { id: 'crawler', capabilities: ['page:read'] }),
 * );
 */
export function combine(...directories: readonly AgentDirectory[]): AgentDirectory {
  if (directories.length === 0) throw new ConfigError('combine: pass at least one directory of agents.');
  for (const directory of directories) {
    if (typeof directory?.findByThumbprint !== 'function' || typeof directory.hasAgent !== 'function') {
      throw new ConfigError(
        "combine: pass directories of agents, and write 'await' before one that is read from a file.",
      );
    }
  }

  /** A later directory must not give an agent of an earlier one another key, or other capabilities. */
  async function unlessShadowing(found: Extract<KeyLookup, { kind: 'found' }>, index: number): Promise<KeyLookup> {
    const taken = await anyHas(found.agent.id, directories.slice(0, index));
    if (taken === 'unavailable') return { kind: 'unavailable', cause: 'it cannot be said whether the name is taken' };
    return taken ? { kind: 'unknown' } : found;
  }

  return {
    async findByThumbprint(thumbprint) {
      for (const [index, directory] of directories.entries()) {
        const lookup = await directory.findByThumbprint(thumbprint);
        if (lookup.kind === 'found') return unlessShadowing(lookup, index);
        if (lookup.kind === 'unavailable') return lookup;
      }
      return { kind: 'unknown' };
    },
    hasAgent: (id) => anyHas(id, directories),
    async close() {
      await Promise.all(directories.map(async (directory) => directory.close?.()));
    },
  };
}

async function anyHas(id: string, among: readonly AgentDirectory[]): Promise<boolean | 'unavailable'> {
  const answers = await Promise.all(among.map(async (directory) => directory.hasAgent(id)));
  if (answers.includes(true)) return true;
  return answers.includes('unavailable') ? 'unavailable' : false;
}
