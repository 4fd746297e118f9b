import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, readListener } from '@countersign/common';
import { bundle } from '../../audit/test/bundle.js';
import { temporaryFolder } from '../../audit/test/events.js';

const programs = temporaryFolder();
// The program lies outside of every package, and requires Cedar.
const env = { ...process.env, NODE_PATH: fileURLToPath(new URL('../../policy/node_modules', import.meta.url)) };
afterAll(() => programs[Symbol.dispose]());

describe('a listener', () => {
  const failures: readonly (readonly [string, () => unknown])[] = [
    [
      'throws',
      () => {
        throw new Error('away\u001b[2J');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('away\u001b[2J'))],
    [
      'returns a thenable that throws',
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error('away\u001b[2J');
            },
          },
        ),
    ],
  ];

  it.each(failures)('is replaced by the default when it %s', async (_, listener) => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const byDefault = vi.fn();
    readListener('owner', 'onReload', listener, byDefault)('told');
    await vi.waitFor(() => expect(byDefault.mock.calls).toEqual([['told']]));
    expect(warned.mock.calls).toEqual([
      [String.raw`owner: 'onReload' failed: Error: away\u001b[2J`, 'CountersignWarning'],
    ]);
  });

  it('is called at once, and nobody waits for its answer', () => {
    const listener = vi.fn(() => new Promise(() => {}));
    readListener('owner', 'onReload', listener, () => {})('told');
    expect(listener.mock.calls).toEqual([['told']]);
  });

  it('must be a function', () => {
    const text = 'console' as unknown as () => void;
    expect(() => readListener('owner', 'onReload', text, () => {})).toThrow(
      new ConfigError("owner: 'onReload' must be a function."),
    );
  });
});

describe('a process with a listener that rejects', () => {
  let program = '';
  beforeAll(async () => {
    program = await bundle(new URL('./rejecting-listener.ts', import.meta.url), programs.path);
  });

  it.concurrent.each([
    'createGuard',
    'fanOut',
    'auditFile',
    'cedarFromDirectory',
    'agentsFromFile',
    'revocationsFromFile',
    'agentsFromJwks',
  ])('goes on when the listener belongs to %s [L1]', async (owner) => {
    const words = ['--unhandled-rejections=strict', program, owner];
    const { stderr } = await promisify(execFile)(process.execPath, words, { timeout: 20_000, env });
    expect(stderr).toMatch(/'on(Trouble|Reload|Refresh)' failed: Error: the alert could not be sent/);
  });
});
