import {
  andThen,
  answerOr,
  type Awaitable,
  awaitable,
  closePart,
  ConfigError,
  guardDefaults,
  madeOf,
} from '@countersign/common';
import { boundsItself, type LookUpMethods, withPlaces } from './bounded-directory.js';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';

/**
 * Several directories as one, in the order of trust: an earlier one can never be shadowed. A key counts for the first
 * directory that holds it, and only if no directory before that one knows an agent of the same name; otherwise it is
 * unknown. A directory that cannot be asked makes the answer `unavailable`, unless an earlier one has already given it,
 * or it is the signature directory of one agent and a later one holds the key.
 * Each directory has its own bound of look-ups at once.
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

  const bounded = directories.map((directory) => withPlaces(directory, guardDefaults.lookupTimeoutSeconds));

  function findFrom(index: number, thumbprint: string, open: readonly OpenLookup[] = []): Awaitable<KeyLookup> {
    const directory = bounded[index];
    if (directory === undefined) return heldByNobody(open);
    return andThen(awaitable(directory.findByThumbprint(thumbprint)), (lookup) => {
      if (lookup.kind === 'found') {
        // The earlier directory of that name may just have got the key.
        return andThen(unlessShadowing(lookup, index), (held) => (held.kind === 'unknown' ? heldByNobody(open) : held));
      }
      if (lookup.kind === 'unknown') return findFrom(index + 1, thumbprint, open);
      const { cause, final } = lookup;
      if (final !== undefined) return findFrom(index + 1, thumbprint, [...open, { index, cause, final }]);
      // This one may hold the key, so only an earlier one can answer.
      return andThen(decide(open), (decided) => (decided.kind === 'found' ? decided : lookup));
    });
  }

  function heldByNobody(open: readonly OpenLookup[]): KeyLookup {
    if (open[0] === undefined) return { kind: 'unknown' };
    return { kind: 'unavailable', cause: open[0].cause, final: () => decide(open) };
  }

  /** The first that holds the key answers. One that cannot be asked counts only if none of the others holds it. */
  function decide([first, ...later]: readonly OpenLookup[]): Awaitable<KeyLookup> {
    if (first === undefined) return { kind: 'unknown' };
    return andThen(awaitable(first.final()), (lookup) => {
      if (lookup.kind === 'found') return unlessShadowing(lookup, first.index);
      return andThen(decide(later), (other) => (other.kind === 'unknown' ? lookup : other));
    });
  }

  /** A later directory must not give an agent of an earlier one another key, or other capabilities. */
  function unlessShadowing(found: Extract<KeyLookup, { kind: 'found' }>, index: number): Awaitable<KeyLookup> {
    return andThen(firstStatus(found.agent.id, bounded.slice(0, index)), (earlier) => {
      if (earlier === 'unavailable')
        return { kind: 'unavailable', cause: 'it cannot be said whether the name is taken' };
      return earlier === 'unknown' ? found : { kind: 'unknown' };
    });
  }

  const combined: AgentDirectory = {
    findByThumbprint: (thumbprint) => findFrom(0, thumbprint),
    statusOf: (id) => firstStatus(id, bounded),
    async close() {
      await Promise.all(directories.map(closePart));
    },
  };
  return boundsItself(madeOf(combined, directories));
}

/** A directory of one agent that could not say at once whether it holds the key. */
interface OpenLookup {
  readonly index: number;
  readonly cause: string;
  readonly final: () => KeyLookup | Promise<KeyLookup>;
}

/**
 * The first directory that knows the name decides; one before it that cannot be asked might have known better. All before
 * one that decides at once are asked together, and none after it.
 */
function firstStatus(id: string, among: readonly LookUpMethods[]): Awaitable<AgentStatus> {
  const answers: Awaitable<AgentStatus>[] = [];
  for (const directory of among) {
    const answer = statusIn(directory, id);
    answers.push(answer);
    if (typeof answer === 'string' && answer !== 'unknown') break;
  }
  return firstKnown(answers);
}

function firstKnown([first, ...later]: readonly Awaitable<AgentStatus>[]): Awaitable<AgentStatus> {
  if (first === undefined) return 'unknown';
  return andThen(first, (status) => (status === 'unknown' ? firstKnown(later) : status));
}

/** Never throws or rejects: an answer after the one that decides may be one that nobody waits for. */
function statusIn(directory: LookUpMethods, id: string): Awaitable<AgentStatus> {
  return answerOr(
    () => awaitable(directory.statusOf(id)),
    () => 'unavailable' as const,
  );
}
