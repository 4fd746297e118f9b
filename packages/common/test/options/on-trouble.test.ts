import { describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/errors/config-error.js';
import { readOnTrouble } from '../../src/options/on-trouble.js';

describe('what an operator is told [F1]', () => {
  const odd = 'no such thing: \u001b[2J\r\ncountersign: all is well\u202e\u0085';
  const printable = String.raw`no such thing: \u001b[2J\u000d\u000acountersign: all is well\u202e\u0085`;

  it('is one printable line', () => {
    const told: string[] = [];
    readOnTrouble('owner', (message) => void told.push(message))(odd);
    expect(told).toEqual([printable]);
  });

  it('also as a warning, and where who listens throws', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    readOnTrouble('owner', undefined)(odd);
    readOnTrouble('owner', () => {
      throw new Error(odd);
    })(odd);
    const warnings = [printable, `owner: 'onTrouble' failed: Error: ${printable}`, printable];
    await vi.waitFor(() => expect(warned.mock.calls.map(([message]) => message)).toEqual(warnings));
  });
});

it('who is told must be a function [G5]', () => {
  expect(() => readOnTrouble('owner', 'console' as unknown as () => void)).toThrow(ConfigError);
});
