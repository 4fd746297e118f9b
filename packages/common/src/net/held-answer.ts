import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { ConfigError } from '../errors/config-error.js';
import { answerHasBegun, answerHasEnded, type AnswerSign, showSign } from './answer-has-begun.js';
import { dropFurther, dropsOf, type Gated, gated, gatedOfHttp2, isOfHttp2, type Method } from './dropped-answer.js';

type Call = () => unknown;

const begins: readonly Gated[] = ['writeHead', 'write', 'end', 'flushHeaders'];

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
  /** What the response says although nothing was sent, and how to let it say the truth again. */
  readonly #shown = new Map<AnswerSign, () => void>();
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
    if (answerHasBegun(this.#response) && !answerHasEnded(this.#response)) this.#response.destroy();
    this.#restoreHead();
    this.#open([]);
    Object.assign(this.#response, this.#own);
    answer();
    this.dropRest();
  }

  /** The answer has been given: drops what a handler still sends. */
  dropRest(): void {
    if (this.#state === 'refused') return;
    this.#state = 'refused';
    dropFurther(this.#response);
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
    this.#showTruth();
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
          // As Node does with a second answer, once the first has gone out.
          if (this.#shown.has('writableEnded'))
            return (dropsOf(this.#response)[name] as Method).apply(this.#response, args);
          this.#cameEarly = true;
          if (begins.includes(name)) this.#show('headersSent');
          if (name === 'end') this.#show('writableEnded');
          this.#needsDrain ||= name === 'write';
          this.#calls.push(() => own.apply(this.#response, args));
          if (name === 'write') return false;
          return name === 'writeHead' || name === 'end' ? this.#response : undefined;
      }
    };
  }

  /** What the handler has done, although nothing was sent: a time-out of the application may have answered. */
  #show(name: AnswerSign): void {
    if (!this.#shown.has(name)) this.#shown.set(name, showSign(this.#response, name));
  }

  #showTruth(): void {
    for (const hide of this.#shown.values()) hide();
    this.#shown.clear();
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
