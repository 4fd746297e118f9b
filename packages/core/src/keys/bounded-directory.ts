import { KeyObject } from 'node:crypto';
import {
  andThen,
  answerInTime,
  type Awaitable,
  awaitable,
  closePart,
  containRejections,
  isPromise,
  LruCache,
  withTimeout,
} from '@countersign/common';
import type { AgentDirectory, AgentStatus, KeyLookup } from './directory.js';

/** Most look-ups at once: a stranger can make up as many keys as it likes, and each could hold a connection. */
const maxLookUps = 1024;

/** Keys that some directory or issuer knew: strangers who make up keys do not keep these waiting. */
const knownKeys = new LruCache<true>(10_000);

/** Call it for a key that belongs to somebody, wherever that was found out. */
export function rememberKey(thumbprint: string): void {
  knownKeys.set(thumbprint, true);
}

/** What a directory is asked. */
export type LookUpMethods = Pick<AgentDirectory, 'findByThumbprint' | 'statusOf'>;

/** Directories that bound by themselves what they ask outside the process. */
const selfBounded = new WeakSet<LookUpMethods>();

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
        (answer) => inTime(checkedLookup(answer), seconds),
      ),
    statusOf: (id) =>
      andThen(
        lookUps.answer(`id ${id}`, () => bounded.statusOf(id)),
        checkedStatus,
      ),
    close: () => closePart(directory),
  };
}

/**
 * The directory with a bound of its own, unless it has one. A look-up has its place for `seconds` at most. Known keys have
 * places apart, so that made-up keys do not keep their agents out. A name is known: it is asked for
 * only after a signature or a token was verified. Of other keys, `atOnce` are asked for at once, and the rest wait.
 */
export function withPlaces(directory: LookUpMethods, seconds: number, atOnce: number = maxLookUps): LookUpMethods {
  if (selfBounded.has(directory)) return directory;
  const places = { known: new Places(seconds, maxLookUps), other: new Places(seconds, atOnce) };
  return {
    findByThumbprint: (thumbprint) =>
      andThen(
        places[knownKeys.get(thumbprint) ? 'known' : 'other'].ask(() => directory.findByThumbprint(thumbprint)),
        (lookup) => {
          if (isKeyLookup(lookup) && lookup.kind === 'found') rememberKey(thumbprint);
          return lookup;
        },
      ),
    statusOf: (id) => places.known.ask(() => directory.statusOf(id)),
  };
}

interface Waiting {
  readonly begin: () => void;
  readonly giveUp: (why: string) => void;
}

/**
 * Bounds how many answers are waited for at once. An answer that is here takes no place. The newest has the next turn: when
 * more come than are answered, the oldest are late anyway, and in one line everybody would be as late as they are.
 */
class Places {
  readonly #milliseconds: number;
  readonly #atOnce: number;
  #asking = 0;
  /** In the order in which they came. */
  readonly #waiting: Waiting[] = [];

  constructor(seconds: number, atOnce: number) {
    this.#milliseconds = seconds * 1000;
    this.#atOnce = atOnce;
  }

  /** @throws Error if all places are taken. */
  ask<Answer>(question: () => Answer | PromiseLike<Answer>): Awaitable<Answer> {
    const tooMany = `more than ${maxLookUps} look-ups at once`;
    if (this.#asking >= maxLookUps) throw new Error(tooMany);
    if (this.#asking + this.#waiting.length >= maxLookUps) this.#waiting.shift()?.giveUp(tooMany);
    return this.#asking < this.#atOnce ? this.#begin(question) : this.#wait(question);
  }

  #begin<Answer>(question: () => Answer | PromiseLike<Answer>): Awaitable<Answer> {
    const answer = awaitable(question());
    if (!isPromise(answer)) return answer;
    this.#asking += 1;
    withTimeout(this.#milliseconds, answer, () => undefined).then(this.#free, this.#free);
    return answer;
  }

  #wait<Answer>(question: () => Answer | PromiseLike<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.giveUp(`the look-up had no turn within ${this.#milliseconds / 1000} s`);
      }, this.#milliseconds);
      const waiting: Waiting = {
        begin: () => {
          clearTimeout(timer);
          try {
            resolve(this.#begin(question));
          } catch (error) {
            reject(error);
          }
        },
        giveUp: (why) => {
          clearTimeout(timer);
          reject(new Error(why));
        },
      };
      this.#waiting.push(waiting);
    });
  }

  readonly #free = (): void => {
    this.#asking -= 1;
    while (this.#asking < this.#atOnce) {
      const newest = this.#waiting.pop();
      if (newest === undefined) return;
      newest.begin();
    }
  };
}

function checkedLookup(lookup: unknown): KeyLookup {
  if (isKeyLookup(lookup)) return lookup;
  containRejections(lookup);
  throw new Error('the directory gave an answer that is no key lookup');
}

function inTime(lookup: KeyLookup, seconds: number): KeyLookup {
  if (lookup.kind !== 'unavailable' || lookup.final === undefined) return lookup;
  const { final } = lookup;
  return { ...lookup, final: () => andThen(answerInTime(seconds, final), checkedLookup) };
}

function checkedStatus(status: unknown): AgentStatus {
  if (isStatus(status)) return status;
  containRejections(status);
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
