import { expect, it } from 'vitest';
import { EntriesPerAgent } from '../src/entries-per-agent.js';

it('counts entries of each agent until their last second is over', () => {
  const entries = new EntriesPerAgent(2);
  entries.add('a', 10);
  entries.add('a', 20.5);
  entries.add('b', 10);
  expect(entries.isFull('a', 10.9)).toBe(true);
  expect(entries.isFull('b', 10.9)).toBe(false);
  expect(entries.isFull('a', 11)).toBe(false);
  entries.add('a', 30);
  expect(entries.isFull('a', 21)).toBe(true);
  expect(entries.isFull('a', 22)).toBe(false);
});
