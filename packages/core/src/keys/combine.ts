import { ConfigError } from '@countersign/common';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';

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
    if (typeof directory?.findByThumbprint !== 'function' || typeof directory.statusOf !== 'function') {
      throw new ConfigError(
        "combine: pass directories of agents, and write 'await' before one that is read from a file.",
      );
    }
  }

  /** A later directory must not give an agent of an earlier one another key, or other capabilities. */
  async function unlessShadowing(found: Extract<KeyLookup, { kind: 'found' }>, index: number): Promise<KeyLookup> {
    const earlier = await firstStatus(found.agent.id, directories.slice(0, index));
    if (earlier === 'unavailable') return { kind: 'unavailable', cause: 'it cannot be said whether the name is taken' };
    return earlier === 'unknown' ? found : { kind: 'unknown' };
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
    statusOf: (id) => firstStatus(id, directories),
    async close() {
      await Promise.all(directories.map(async (directory) => directory.close?.()));
    },
  };
}

/** The first directory that knows the name decides; one before it that cannot be asked might have known better. */
async function firstStatus(id: string, among: readonly AgentDirectory[]): Promise<AgentStatus> {
  const answers = await Promise.all(among.map(async (directory) => directory.statusOf(id)));
  return answers.find((answer) => answer !== 'unknown') ?? 'unknown';
}
