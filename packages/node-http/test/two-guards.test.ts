import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditFile, type GuardOptions, memoryReplayStore } from '@countersign/core';
import { expect, it, onTestFinished } from 'vitest';
import { guarded, send, serve, type Served, signed } from '../../../test/support/guarded.js';
import { agentAuth } from '../src/index.js';
import { codeOf } from './support.js';

async function api(options: Partial<GuardOptions> = {}): Promise<Served> {
  const auth = agentAuth((await guarded(options)).guard);
  return await serve((request, response) => void auth(request, response, () => response.end('done')));
}

it('Two guards accept a signature once each, and once in all with one replay store [A10]', async () => {
  await using first = await api();
  await using second = await api();
  const request = signed();
  const own = [await send(first.url, request), await send(second.url, request), await send(second.url, request)];
  expect(own.map(({ status }) => status)).toEqual([200, 200, 401]);

  const replay = memoryReplayStore();
  await using third = await api({ replay });
  await using fourth = await api({ replay });
  const other = signed();
  expect((await send(third.url, other)).status).toBe(200);
  expect(codeOf(await send(fourth.url, other))).toBe('signature_replayed');
});

it('Two guards do not start with one audit folder [F4]', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  const audit = auditFile(folder);
  onTestFinished(async () => {
    await audit.close?.();
    rmSync(folder, { recursive: true });
  });
  expect(() => auditFile(folder)).toThrow(
    /is written already, by this process\. One process writes a log.* In tests use memoryAudit/,
  );
});

it('Two guards on one request refuse it with a fault of the server [G5]', async () => {
  const [first, second] = [agentAuth((await guarded()).guard), agentAuth((await guarded()).guard)];
  await using served = await serve(
    (request, response) => void first(request, response, () => second(request, response, () => response.end('done'))),
  );
  expect(codeOf(await send(served.url, signed()))).toBe('internal_error');
});
