import {
  aborted,
  andThen,
  checkOptionNames,
  ConfigError,
  containRejections,
  errorMessage,
  kindOf,
  LruCache,
  numberOption,
  readClock,
} from '@countersign/common';
import { boundsItself, withPlaces } from './bounded-directory.js';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';
import { type AgentRegistration, type RegisteredAgent, readRegistration } from './registration.js';
import { isThumbprint } from './remote-directory.js';

/** Who is asked for: the agent that holds a key, or the agent of a name. */
export type AgentQuestion =
  | { readonly thumbprint: string; readonly id?: undefined }
  | { readonly id: string; readonly thumbprint?: undefined };

/**
 * Looks one agent up, with all of its keys; undefined if there is none. The signal aborts when nobody waits any more.
 * A thumbprint is 43 letters, digits, `-` and `_`; an id is any visible text, so bind it as a parameter.
 */
export type AgentQuery = (
  question: AgentQuestion,
  signal: AbortSignal,
) => Promise<AgentRegistration | undefined> | AgentRegistration | undefined;

export interface AgentsFromDatabaseOptions {
  /**
   * How long an answer is waited for, in seconds. Of keys that were not found before, four are asked for at once; others
   * wait so long, too, for their turn. Default 2.
   */
  readonly timeoutSeconds?: number;
  /**
   * How long an answer about a key goes on counting without another look, in seconds: so long, too, a removal takes to
   * have effect. Default 0, which asks for every request.
   */
  readonly cacheSeconds?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

type Answer =
  | { readonly kind: 'registered'; readonly registered: RegisteredAgent }
  | { readonly kind: 'none' }
  | { readonly kind: 'unavailable'; readonly cause: string; readonly reported?: string };

const maxRemembered = 10_000;

/** Look-ups at once of keys that were not found before: a pool has about ten connections, and one queue for all. */
const unknownAtOnce = 4;

/**
 * A directory over a function of yours that asks a database. What it answers is checked like any registration. Whatever
 * is wrong on our side (it rejects, it takes too long, its answer cannot be used or does not hold the key that was
 * asked for) is an outage, and such requests are refused with 503. Give thumbprints a unique index: a key belongs to
 * exactly one agent. `readPublicKey` says the thumbprint of a key.
 *
 * @throws ConfigError when an option is wrong.
 *
 * @example
 * const rows = new Map([['agent-a', { id: 'agent-a', publicKey: 'CUDL…0ok=', thumbprint: 'poqk…' }]]);
 * const agents = agentsFromDatabase(async ({ thumbprint, id }) => {
 *   const row = [...rows.values()].find((each) => each.id === id || each.thumbprint === thumbprint);
 *   return row && { id: row.id, publicKey: row.publicKey };
 * });
 */
export function agentsFromDatabase(query: AgentQuery, options: AgentsFromDatabaseOptions = {}): AgentDirectory {
  if (typeof query !== 'function') throw new ConfigError('agentsFromDatabase: pass a function that looks an agent up.');
  checkOptionNames('agentsFromDatabase', options, ['timeoutSeconds', 'cacheSeconds', 'clock']);
  const { timeoutSeconds = 2, cacheSeconds = 0 } = options;
  const clock = readClock('agentsFromDatabase', options.clock);
  numberOption('agentsFromDatabase', 'timeoutSeconds', timeoutSeconds, 0.001, 60);
  numberOption('agentsFromDatabase', 'cacheSeconds', cacheSeconds, 0, 3600);
  const ask = (question: AgentQuestion): Promise<Answer> => askWithin(query, question, timeoutSeconds);

  async function lookUp(thumbprint: string): Promise<KeyLookup> {
    const answer = await ask({ thumbprint });
    if (answer.kind === 'none') return { kind: 'unknown' };
    if (answer.kind === 'unavailable') return answer;
    const { agent, keys } = answer.registered;
    const key = keys.find((each) => each.thumbprint === thumbprint);
    return key === undefined
      ? { kind: 'unavailable', cause: `the database answered with '${agent.id}', which does not hold the key` }
      : Object.freeze({ kind: 'found', agent, key });
  }

  async function statusOf(id: string): Promise<AgentStatus> {
    const answer = await ask({ id });
    if (answer.kind === 'none') return 'unknown';
    // Another agent than the one asked for says nothing about this name.
    if (answer.kind === 'unavailable' || answer.registered.agent.id !== id) return 'unavailable';
    return answer.registered.agent.status;
  }

  const bounded = withPlaces({ findByThumbprint: lookUp, statusOf }, timeoutSeconds, unknownAtOnce);
  return boundsItself({ ...bounded, findByThumbprint: remembering(bounded.findByThumbprint, cacheSeconds, clock) });
}

async function askWithin(query: AgentQuery, question: AgentQuestion, seconds: number): Promise<Answer> {
  const signal = AbortSignal.timeout(Math.ceil(seconds * 1000));
  try {
    const answer = await Promise.race([query(question, signal), aborted(signal)]);
    // Drivers also say null for what is not there.
    if (answer === undefined || answer === null) return { kind: 'none' };
    return { kind: 'registered', registered: registrationIn(answer) };
  } catch (error) {
    if (signal.aborted) return { kind: 'unavailable', cause: `the database took longer than ${seconds} s` };
    return { kind: 'unavailable', cause: `the database: ${kindOf(error)}`, reported: errorMessage(error) };
  }
}

/** @throws ConfigError if it is none. */
function registrationIn(answer: AgentRegistration): RegisteredAgent {
  try {
    return readRegistration(answer, 'the agent from the database');
  } catch (error) {
    containRejections(answer);
    throw error;
  }
}

interface Remembered {
  readonly lookup: KeyLookup;
  readonly since: number;
}

/** Remembers who was found, and apart from them who was not, so that a flood of unknown keys forgets nobody known. */
function remembering(
  lookUp: AgentDirectory['findByThumbprint'],
  seconds: number,
  clock: () => number,
): AgentDirectory['findByThumbprint'] {
  const found = new LruCache<Remembered>(maxRemembered);
  const unknown = new LruCache<Remembered>(maxRemembered);
  return (thumbprint) => {
    // What is no thumbprint is in no database.
    if (!isThumbprint(thumbprint)) return { kind: 'unknown' };
    const now = clock() / 1000;
    const known = found.get(thumbprint) ?? unknown.get(thumbprint);
    if (known !== undefined && known.since <= now && now < known.since + seconds) return known.lookup;
    found.delete(thumbprint);
    unknown.delete(thumbprint);
    return andThen(lookUp(thumbprint), (lookup) => {
      if (seconds > 0 && lookup.kind !== 'unavailable') {
        (lookup.kind === 'found' ? found : unknown).set(thumbprint, { lookup, since: now });
      }
      return lookup;
    });
  };
}
