import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallerPart, type EventCaller } from '../../src/record/caller-part.js';
import { renderEvent } from '../../src/record/record.js';
import { event } from '../events.js';

/** Mostly ordinary; sometimes with something to escape, or too long for a string or a line. */
const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.constantFrom('"', '\\', '\u2028', 'ü', '\ud800', '\u001b[2J', ',"prev":"x"') },
  { weight: 1, arbitrary: fc.integer({ min: 1000, max: 1100 }).map((length) => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.integer({ min: 4000, max: 20_000 }).map((length) => 'x'.repeat(length)) },
);

const hop = fc.record({
  id: text,
  type: fc.constantFrom('user', 'agent'),
  proof: fc.constant('issuer' as const),
  scope: fc.array(text, { maxLength: 3 }),
});
const callers: fc.Arbitrary<EventCaller> = fc.record({
  actor: fc.record({ id: text, keyId: text }),
  possession: fc.constant('signature' as const),
  subject: fc.record({ id: text, type: fc.constantFrom('user', 'agent') }),
  chain: fc.array(hop, { maxLength: 3 }),
  scope: fc.array(text, { maxLength: 3 }),
});

describe('an event with a rendered caller part', () => {
  it('is the same line as the whole event [F1, F3]', () => {
    fc.assert(
      fc.property(callers, text, fc.array(text, { maxLength: 4 }), (caller, detail, policies) => {
        const { id, time, phase, action, resource, request } = event('1');
        const head = { id, time, phase, detail } as const;
        const tail = { action: action ?? '', resource: resource!, policies, request };
        const whole = structuredClone({ ...head, ...caller, ...tail });
        const part = new CallerPart(caller);
        expect(renderEvent(part.event(head, tail))).toBe(renderEvent(whole));
        // The part serves the outcome, too.
        const outcome = { result: 'finished', status: 200 } as const;
        const ended = part.event({ id, time, phase: 'outcome' }, { request, outcome });
        expect(renderEvent(ended)).toBe(
          renderEvent(structuredClone({ id, time, phase: 'outcome', ...caller, request, outcome })),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('is frozen throughout, and renders the same line for every sink', () => {
    const { request } = event('1');
    const part = new CallerPart({ actor: { id: 'a', keyId: 'k' }, scope: ['s'] });
    const policies = ['p'];
    const made = part.event({ id: '1', time: 't', phase: 'decision' }, { policies, request: { ...request } });
    const line = renderEvent(made);
    for (const value of [made, made.actor, made.scope, made.policies, made.request])
      expect(Object.isFrozen(value)).toBe(true);
    expect(renderEvent(made)).toBe(line);
  });

  it('gives a copy with other members no text of its own [F1]', () => {
    const { request } = event('1');
    const made = new CallerPart({ scope: [] }).event({ id: '1', time: 't', phase: 'decision' }, { request });
    expect(renderEvent({ ...made, id: '2' })).toContain('"id":"2"');
    expect(renderEvent(Object.create(made, { id: { value: '3', enumerable: true } }) as typeof made)).not.toContain(
      '"id":"1"',
    );
  });
});
