import { expect, it } from 'vitest';
import type { AuditEvent } from '../../src/record/event.js';
import { roomFor } from '../../src/record/room.js';
import { fanOut } from '../../src/sinks/fan-out.js';
import { event as eventOf } from '../events.js';

it.each<[Partial<AuditEvent>, number]>([
  [{ phase: 'authentication', decision: 'deny' }, 2],
  [{ phase: 'decision', decision: 'deny' }, 4],
  [{ phase: 'decision', decision: 'would_refuse' }, 8],
  [{ phase: 'decision', decision: 'allow' }, 8],
  [{ phase: 'outcome' }, 16],
])('A queue of 8 records takes a record of %j while fewer than %i wait [F4]', (event, room) => {
  expect(roomFor({ ...eventOf('1'), ...event }, 8)).toBe(room);
});

it('A queue that denials have filled takes the record of what is allowed [F4]', async () => {
  let taken = 0;
  // A sink that never answers.
  const write = (): Promise<void> => {
    taken += 1;
    return new Promise(() => {});
  };
  const sink = fanOut([{ sink: { write } }], { maxWaiting: 8 });
  const denied = Array.from({ length: 20 }, () =>
    Promise.resolve(sink.write({ ...eventOf('1'), phase: 'decision', decision: 'deny' })).catch(() => 'refused'),
  );
  expect(await Promise.race(denied.slice(4))).toBe('refused');
  expect(taken).toBe(4);
  for (let at = 0; at < 4; at += 1) {
    sink.write({ ...eventOf('1'), phase: 'decision', decision: 'allow' }).catch(() => {});
  }
  expect(taken).toBe(8);
});
