import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A store of events of either SDK, for streams that a client resumes with `Last-Event-ID`. */
interface EventStore {
  storeEvent(streamId: string, message: unknown): Promise<string>;
  getStreamIdForEventId?(eventId: string): Promise<string | undefined>;
  replayEventsAfter(lastEventId: string, to: { send: SendEvent }): Promise<string>;
}

type SendEvent = (eventId: string, message: unknown) => Promise<void>;

/** What the SDKs call the stream of a session that answers no request. It is the same word in every session. */
const standalone = '_GET_stream';

/**
 * Binds the events of one session to it. Sessions often share a store, which knows events by their id alone: whoever
 * named an event of another session would get what that one was sent.
 */
class OwnedEvents implements EventStore {
  readonly #store: EventStore;
  readonly #sessionId: () => string | undefined;
  readonly #key = randomBytes(32);

  constructor(store: EventStore, sessionId: () => string | undefined) {
    this.#store = store;
    this.#sessionId = sessionId;
  }

  async storeEvent(streamId: string, message: unknown): Promise<string> {
    return this.#seal(await this.#store.storeEvent(this.#ownStream(streamId), message));
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    const own = this.#unseal(eventId);
    if (own === undefined) return undefined;
    // Without such a method nothing is known of the stream; the id of an event is no stream's.
    if (this.#store.getStreamIdForEventId === undefined) return eventId;
    const streamId = await this.#store.getStreamIdForEventId(own);
    return streamId && this.#givenStream(streamId);
  }

  async replayEventsAfter(lastEventId: string, { send }: { send: SendEvent }): Promise<string> {
    const own = this.#unseal(lastEventId);
    if (own === undefined) throw new Error('the event is of another session');
    const sealed: SendEvent = (eventId, message) => send(this.#seal(eventId), message);
    return this.#givenStream(await this.#store.replayEventsAfter(own, { send: sealed }));
  }

  #seal(eventId: string): string {
    return `${eventId}.${this.#mark(eventId).toString('base64url')}`;
  }

  #unseal(sealed: string): string | undefined {
    const at = sealed.lastIndexOf('.');
    const [eventId, mark] = [sealed.slice(0, Math.max(at, 0)), Buffer.from(sealed.slice(at + 1), 'base64url')];
    const expected = this.#mark(eventId);
    return mark.length === expected.length && timingSafeEqual(mark, expected) ? eventId : undefined;
  }

  #mark(eventId: string): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([this.#sessionId() ?? null, eventId]))
      .digest();
  }

  #ownStream(streamId: string): string {
    return streamId === standalone ? this.#standaloneStream() : streamId;
  }

  #givenStream(streamId: string): string {
    return streamId === this.#standaloneStream() ? standalone : streamId;
  }

  /** Without `_`, which the store of the SDK's examples cuts ids at. */
  #standaloneStream(): string {
    return createHash('sha256')
      .update(`standalone ${this.#sessionId() ?? ''}`)
      .digest('hex');
  }
}

/** Puts the check before the event store of a transport, if it has one. */
export function ownEvents(transport: object, sessionId: () => string | undefined): void {
  const inner: unknown = '_webStandardTransport' in transport ? transport._webStandardTransport : undefined;
  for (const holder of [transport, inner]) {
    if (typeof holder !== 'object' || holder === null || !('_eventStore' in holder)) continue;
    const store = holder._eventStore;
    if (isEventStore(store)) holder._eventStore = new OwnedEvents(store, sessionId);
  }
}

function isEventStore(store: unknown): store is EventStore {
  return typeof store === 'object' && store !== null && !(store instanceof OwnedEvents) && 'storeEvent' in store;
}
