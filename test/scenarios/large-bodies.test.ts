import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, onEverySetup } from '../support/api.js';
import { tampered } from '../support/signed-request.js';

const body = randomBytes(700_000);

/** A host that holds 64 KiB in memory, and the folder where it puts the rest. */
async function spooling(api: Api): Promise<{ small: Api; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-spool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const small = await api.variant({ start: { guard: { memoryBodyBytes: 65_536, spoolDirectory: folder } } });
  return { small, folder };
}

onEverySetup('A body too large for memory', (api) => {
  it('reaches its reader whole, and leaves no file behind [G4]', async () => {
    const { small, folder } = await spooling(api);
    const { response } = await small.accepts(small.signed({ method: 'PUT', target: '/upload', body }), 200);
    const sha256 = createHash('sha256').update(body).digest('hex');
    expect(JSON.parse(response.body)).toEqual({ bytes: body.length, sha256 });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused when one byte was changed [A4]', async () => {
    const { small, folder } = await spooling(api);
    const request = small.signed({ method: 'PUT', target: '/upload', body });
    const changed = Buffer.from(body);
    changed[699_999] = (changed[699_999] ?? 0) ^ 1;
    await small.refuses(tampered(request, { body: changed }), 401, 'digest_mismatch');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gets 503 when it cannot be spooled', async () => {
    const { small, folder } = await spooling(api);
    rmSync(folder, { recursive: true });
    await small.refuses(small.signed({ method: 'PUT', target: '/upload', body }), 503, 'spool_unavailable');
    await small.accepts(small.signed({ method: 'PUT', target: '/upload', body: 'small' }), 200);
    expect(existsSync(folder)).toBe(false);
  });
});
