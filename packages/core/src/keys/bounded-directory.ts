import { KeyObject } from 'node:crypto';
import { andThen, answerInTime, type Awaitable, awaitable, isPromise, withTimeout } from '@countersign/common';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';

/** Most look-ups at once: a stranger can make up as many keys as it likes, and each could hold a connection. */
const maxLookUps = 1024;

/** Directories that bound by themselves what they ask outside the process. */
const selfBounded = new WeakSet<AgentDirectory>();

/** Marks a directory that asks little at once, or that bounds what it asks: what it holds in memory needs no place. */
export function boundsItself(directory: AgentDirectory): AgentDirectory {
  selfBounded.add(directory);
  return directory;
}

/**
 * The directory with a time limit on each answer, with one look-up at a time for each key and name, and with a bound on
 * all of them. It throws or rejects beyond these limits, and for an answer of a wrong type; both count as an outage.
 */
export function boundedDirectory(directory: AgentDirectory, seconds: number): AgentDirectory {
  const bounded = withPlaces(directory, seconds);
  const lookUps = new LookUps(seconds);
  return {
    findByThumbprint: (thumbprint) =>
      andThen(
        lookUps.answer(`key ${thumbprint}`, () => bounded.findByThumbprint(thumbprint)),
        checkedLookup,
      ),
    statusOf: (id) =>
      andThen(
        lookUps.answer(`id ${id}`, () => bounded.statusOf(id)),
        checkedStatus,
      ),
    close: () => directory.close?.(),
  };
}

/** The directory with a bound of its own, unless it has one. A look-up has its place for `seconds` at most. */
export function withPlaces(
  directory: AgentDirectory,
  seconds: number,
): Pick<AgentDirectory, 'findByThumbprint' | 'statusOf'> {
  if (selfBounded.has(directory)) return directory;
  const places = new Places(seconds);
  return {
    findByThumbprint: (thumbprint) => places.ask(() => directory.findByThumbprint(thumbprint)),
    statusOf: (id) => places.ask(() => directory.statusOf(id)),
  };
}

/** Bounds how many answers are waited for at once. An answer that is here takes no place. */
export class Places {
  readonly #seconds: number;
  #taken = 0;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** @throws Error if all places are taken. */
  ask<Answer>(question: () => Answer | PromiseLike<Answer>): Awaitable<Answer> {
    if (this.#taken >= maxLookUps) throw new Error(`more than ${maxLookUps} look-ups at once`);
    const answer = awaitable(question());
    if (!isPromise(answer)) return answer;
    this.#taken += 1;
    const free = (): void => void (this.#taken -= 1);
    withTimeout(this.#seconds * 1000, answer, () => undefined).then(free, free);
    return answer;
  }
}

function checkedLookup(lookup: unknown): KeyLookup {
  if (isKeyLookup(lookup)) return lookup;
  throw new Error('the directory gave an answer that is no key lookup');
}

function checkedStatus(status: unknown): AgentStatus {
  if (isStatus(status)) return status;
  throw new Error('the directory gave an answer that is no status');
}

const statuses: readonly unknown[] = ['active', 'suspended', 'unknown', 'unavailable'] satisfies AgentStatus[];

function isStatus(value: unknown): value is AgentStatus {
  return statuses.includes(value);
}

function isKeyLookup(value: unknown): value is KeyLookup {
  const { kind, agent, key } = (value ?? {}) as Partial<Record<'kind' | 'agent' | 'key', unknown>>;
  return kind === 'unknown' || kind === 'unavailable' || (kind === 'found' && isAgent(agent) && isKey(key));
}

function isAgent(value: unknown): boolean {
  const { id, status, capabilities, roles } = (value ?? {}) as Record<string, unknown>;
  const known = status === 'active' || status === 'suspended';
  return typeof id === 'string' && known && Array.isArray(capabilities) && Array.isArray(roles);
}

function isKey(value: unknown): boolean {
  const { thumbprint, publicKey } = (value ?? {}) as Record<string, unknown>;
  return typeof thumbprint === 'string' && publicKey instanceof KeyObject;
}

interface LookUp {
  /** Fulfilled when the answer is there, or is late. */
  readonly ended: Promise<unknown>;
  next?: Promise<unknown>;
}

/**
 * Who asks while the same look-up is under way shares the next one. It begins after they asked, so that a removal counts
 * for every later request.
 */
class LookUps {
  readonly #seconds: number;
  readonly #underWay = new Map<string, LookUp>();

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  answer(question: string, ask: () => unknown): Awaitable<unknown> {
    const lookUp = this.#underWay.get(question);
    if (lookUp === undefined) return this.#begin(question, ask);
    lookUp.next ??= lookUp.ended.then(() => this.#begin(question, ask));
    const { next } = lookUp;
    return answerInTime(this.#seconds, () => next);
  }

  #begin(question: string, ask: () => unknown): Awaitable<unknown> {
    const asked = awaitable(ask());
    // An answer from memory is there.
    if (!isPromise(asked)) return asked;
    const answer = Promise.resolve(answerInTime(this.#seconds, () => asked));
    const lookUp: LookUp = { ended: answer.catch(() => undefined).then(() => this.#end(question, lookUp)) };
    this.#underWay.set(question, lookUp);
    return answer;
  }

  /** Runs before the next look-up of the same question begins. */
  #end(question: string, lookUp: LookUp): void {
    if (this.#underWay.get(question) === lookUp) this.#underWay.delete(question);
  }
}
