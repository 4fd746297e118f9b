import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { ConfigError } from '../errors/config-error.js';
import { answerHasBegun } from './answer-has-begun.js';

type Method = (...args: unknown[]) => unknown;
type Call = () => unknown;

const gated = ['writeHead', 'write', 'end', 'flushHeaders', 'writeEarlyHints'] as const;
const gatedOfHttp2 = [...gated, 'setTrailer', 'createPushResponse'] as const;

type Gated = (typeof gatedOfHttp2)[number];

/** `throwing`: during the turn in which a step began, in which the caller can still be told. */
type State = 'throwing' | 'holding' | 'open' | 'refused';

/** What a handler may change before it answers. */
interface Head {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly fields: OutgoingHttpHeaders;
}

/** Not a WeakMap, whose entries cost the garbage collector more than all the rest. */
const heldAnswer = Symbol('countersign.heldAnswer');

/**
 * What a handler answers while steps decide whether it may. Without its `await`, a step is a promise, which counts as
 * true, so a handler would answer whatever the step comes to.
 */
export class HeldAnswer {
  readonly #response: ServerResponse;
  #state: State = 'open';
  #step = '';
  #pending = 0;
  /** What the gates stand before; undefined until there are gates. */
  #own: Readonly<Partial<Record<Gated, Method>>> | undefined;
  #before: Head | undefined;
  #calls: Call[] = [];
  #cameEarly = false;
  #needsDrain = false;

  private constructor(response: ServerResponse) {
    this.#response = response;
    Object.assign(response, { [heldAnswer]: this });
  }

  static of(response: ServerResponse): HeldAnswer {
    return (response as { readonly [heldAnswer]?: HeldAnswer })[heldAnswer] ?? new HeldAnswer(response);
  }

  /**
   * A step begins. In this turn, any answer but its own throws a ConfigError; after it, answers wait until every step that
   * has begun is settled.
   */
  begin(step: string): void {
    this.#pending += 1;
    if (this.#state === 'refused') return;
    this.#gateAll();
    if (this.#state === 'open') this.#before = headOf(this.#response);
    this.#state = 'throwing';
    this.#step = step;
    queueMicrotask(() => {
      if (this.#state === 'throwing') this.#state = 'holding';
    });
  }

  /** The step lets the request go on. What the handler answered meanwhile is sent once no other step is pending. */
  allow(): void {
    this.#pending -= 1;
    // A step that is chained to this one begins later in this turn.
    if (this.#calls.length > 0) setImmediate(() => this.#openIfDecided());
    else this.#openIfDecided();
  }

  /** The step has refused. Unless it did so by `refuse`, the application answers. */
  drop(): void {
    this.#pending -= 1;
    if (this.#state === 'refused') return;
    this.#restoreHead();
    this.#open([]);
  }

  /**
   * Answers in place of the handler, whose own answer is dropped: what it sent so far, and what it still sends. Below all that
   * has wrapped the gates: such middleware may pass the handler's answer on a moment later, as compression does.
   */
  refuse(answer: () => void): void {
    if (this.#state === 'refused') return;
    // The client must see that the rest is missing.
    if (answerHasBegun(this.#response) && !this.#response.writableEnded) this.#response.destroy();
    this.#restoreHead();
    this.#open([]);
    Object.assign(this.#response, this.#own);
    answer();
    this.dropRest();
  }

  /**
   * The answer has been given: drops what a handler still sends. Over all that has wrapped the response, which may pass the
   * answer on a moment later, as middleware for sessions does.
   */
  dropRest(): void {
    if (this.#state === 'refused') return;
    this.#state = 'refused';
    Object.assign(this.#response, dropsOf(this.#response));
    // Of what reaches the response by a method that was taken from it before.
    this.#response.on('error', ignore);
  }

  /** Whether an answer was held back since this was last asked. */
  cameEarly(): boolean {
    const cameEarly = this.#cameEarly;
    this.#cameEarly = false;
    return cameEarly;
  }

  #openIfDecided(): void {
    if (this.#pending === 0 && this.#state !== 'refused') this.#open(this.#calls);
  }

  #open(calls: readonly Call[]): void {
    this.#state = 'open';
    this.#calls = [];
    try {
      for (const call of calls) call();
    } catch {
      // The call that was wrong has returned long ago, so that nobody can be told.
      this.#response.destroy();
    }
    if (this.#needsDrain && !this.#response.writableNeedDrain) process.nextTick(() => this.#response.emit('drain'));
    this.#needsDrain = false;
  }

  /** They stay, because other code may wrap them meanwhile. */
  #gateAll(): void {
    if (this.#own !== undefined) return;
    const names = isOfHttp2(this.#response) ? gatedOfHttp2 : gated;
    const own = Object.fromEntries(names.map((name) => [name, Reflect.get(this.#response, name) as Method]));
    this.#own = own;
    for (const name of names) Reflect.set(this.#response, name, this.#gate(name, own[name] as Method));
  }

  #gate(name: Gated, own: Method): Method {
    return (...args) => {
      switch (this.#state) {
        case 'open':
          return own.apply(this.#response, args);
        case 'refused':
          return (dropsOf(this.#response)[name] as Method).apply(this.#response, args);
        case 'throwing':
          throw new ConfigError(
            `${this.#step} is asynchronous: write if (!(await ${this.#step}(request, response))) return;`,
          );
        case 'holding':
          this.#cameEarly = true;
          this.#needsDrain ||= name === 'write';
          this.#calls.push(() => own.apply(this.#response, args));
          if (name === 'write') return false;
          return name === 'writeHead' || name === 'end' ? this.#response : undefined;
      }
    };
  }

  /** A field that the handler set for its own answer may tell what a refusal must not. */
  #restoreHead(): void {
    const response = this.#response;
    const before = this.#before;
    if (before === undefined || answerHasBegun(response)) return;
    for (const name of response.getHeaderNames()) {
      // The guard itself has set it, and a refusal overwrites it.
      if (before.fields[name] === undefined && name !== 'cache-control') response.removeHeader(name);
    }
    for (const [name, value] of Object.entries(before.fields)) {
      if (value !== undefined && !isSame(value, response.getHeader(name))) response.setHeader(name, value);
    }
    response.statusCode = before.statusCode;
    if (Object.hasOwn(response, 'statusMessage')) response.statusMessage = before.statusMessage;
  }
}

function isOfHttp2(response: ServerResponse): boolean {
  return 'setTrailer' in response;
}

/** In place of the methods of a response whose answer has been given. They would throw, or emit an error. */
const drops = {
  setHeader: chain,
  setHeaders: chain,
  appendHeader: chain,
  removeHeader: chain,
  writeHead: chain,
  write: drop('write', true),
  end(this: ServerResponse, ...args: unknown[]): ServerResponse {
    callBack('end', args);
    return this;
  },
  flushHeaders: ignore,
  writeEarlyHints: drop('writeEarlyHints', undefined),
};

const dropsOfHttp2 = { ...drops, setTrailer: ignore, createPushResponse: drop('createPushResponse', undefined) };

function dropsOf(response: ServerResponse): Readonly<Record<string, unknown>> {
  return isOfHttp2(response) ? dropsOfHttp2 : drops;
}

function chain(this: ServerResponse): ServerResponse {
  return this;
}

function ignore(): void {}

function drop(name: Gated, result: unknown): Method {
  return (...args) => {
    callBack(name, args);
    return result;
  };
}

/** Like a success: whoever pipes into the response reads its source to the end. But a push has no response to write to. */
function callBack(name: Gated, args: readonly unknown[]): void {
  const errors = name === 'createPushResponse' ? [new Error('nothing is pushed: the request was refused')] : [];
  for (const done of args.slice(0, 3)) if (typeof done === 'function') process.nextTick(done, ...errors);
}

function headOf(response: ServerResponse): Head | undefined {
  if (answerHasBegun(response)) return undefined;
  const fields = response.getHeaders();
  for (const [name, value] of Object.entries(fields)) {
    // `appendHeader` adds to the array itself.
    if (Array.isArray(value)) fields[name] = [...value];
  }
  // HTTP/2 has none, and warns whoever asks.
  const statusMessage = Object.hasOwn(response, 'statusMessage') ? response.statusMessage : '';
  return { statusCode: response.statusCode, statusMessage, fields };
}

function isSame(one: OutgoingHttpHeader, other: OutgoingHttpHeader | undefined): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((value, index) => value === other[index]);
}
