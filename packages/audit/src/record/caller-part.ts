import { deepFreeze, Stamp } from '@countersign/common';
import type { AuditEvent } from './event.js';
import { isPlainJson, maxLineBytes } from './plain-json.js';

/** The members of an event that say who acts, for whom, and by which chain. */
export type EventCaller = Pick<AuditEvent, 'actor' | 'possession' | 'subject' | 'chain' | 'scope'>;
type EventHead = Pick<AuditEvent, 'id' | 'time' | 'phase' | 'decision' | 'code' | 'detail'>;
type EventTail = Omit<AuditEvent, keyof EventHead | keyof EventCaller>;

/**
 * The part of an event that is the same in all events of a session. It is frozen and rendered once; an event with this
 * part only renders the others. `members` must hold no mutable object that is reached through a frozen one.
 */
export class CallerPart {
  readonly members: EventCaller;
  /** Its members in JSON without the braces; undefined if one of them has to be cut or escaped. */
  readonly plain: string | undefined;

  constructor(members: EventCaller) {
    this.members = deepFreeze(members);
    const json = JSON.stringify(members);
    this.plain = isPlainJson(json) ? json.slice(1, -1) : undefined;
  }

  /** The event of these three parts, deeply frozen, so that no sink can change it for the others. */
  event(head: EventHead, tail: EventTail): AuditEvent {
    const event = Object.assign({}, head, this.members, deepFreeze(tail));
    // It is the same object with private fields.
    return Object.freeze(new EventParts(event, Object.freeze(head), this, tail)) as unknown as AuditEvent;
  }
}

/** The parts of an event, in private fields of it: nobody else can pair an event with the text of another. */
class EventParts extends Stamp {
  readonly #head: EventHead;
  readonly #caller: CallerPart;
  readonly #tail: EventTail;
  #rendered: string | undefined;

  constructor(event: AuditEvent, head: EventHead, caller: CallerPart, tail: EventTail) {
    super(event);
    this.#head = head;
    this.#caller = caller;
    this.#tail = tail;
  }

  static plainText(event: object): string | undefined {
    if (!(#head in event)) return undefined;
    event.#rendered ??= renderParts(event.#head, event.#caller.plain, event.#tail);
    return event.#rendered;
  }
}

function renderParts(head: EventHead, caller: string | undefined, tail: EventTail): string | undefined {
  if (caller === undefined) return undefined;
  const before = JSON.stringify(head);
  const after = JSON.stringify(tail);
  if (before.length + caller.length + after.length > maxLineBytes) return undefined;
  return isPlainJson(before) && isPlainJson(after) ? `${before.slice(0, -1)},${caller},${after.slice(1)}` : undefined;
}

/** The JSON of an event that was made of parts, if nothing in it has to be cut or escaped. */
export function renderFromParts(event: AuditEvent): string | undefined {
  return EventParts.plainText(event);
}
