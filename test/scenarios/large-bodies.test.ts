import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, onEveryHost, onEverySetup } from '../support/api.js';
import type { Connection, RawResponse } from '../support/connection.js';
import { keyNamed } from '../support/keys.js';
import { serialized, tampered } from '../support/signed-request.js';
import { agents } from '../support/world.js';

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

const uploader = keyNamed('agent-uploader');
const withUploader = [
  ...agents,
  { id: 'agent-uploader', jwk: uploader.publicJwk, capabilities: ['file:write'], roles: ['reviewer'] },
];

/** Slow uploads of one agent: of each, all has been sent but the last byte. */
async function slowUploads(api: Api, size: number, count: number): Promise<Map<Connection, Promise<RawResponse>>> {
  const uploads = new Map<Connection, Promise<RawResponse>>();
  onTestFinished(() => {
    for (const connection of uploads.keys()) connection.destroy();
  });
  for (let sent = 0; sent < count; sent++) {
    const request = serialized(api.signed({ method: 'PUT', target: '/upload', body: Buffer.alloc(size, 's') }));
    const connection = await api.connect();
    const answer = connection.read();
    answer.catch(() => {});
    uploads.set(connection, answer);
    connection.write(request.subarray(0, -1));
  }
  return uploads;
}

const put = (size: number) => ({ method: 'PUT', target: '/upload', body: Buffer.alloc(size, 'o') });

onEveryHost('Many slow uploads of one agent', (api) => {
  it('leave memory for the bodies of another [G4]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-spool-'));
    const guard = { memoryBodyBytes: 30_000, spoolDirectory: folder, onTrouble: () => {} };
    const own = await api.variant({ config: { agents: withUploader }, start: { guard } });
    // What finds no room in memory is refused.
    rmSync(folder, { recursive: true });
    const uploads = await slowUploads(own, 30_000, 130);
    const first = await Promise.any(uploads.values());
    expect([first.status, JSON.parse(first.body)]).toEqual([
      503,
      expect.objectContaining({ code: 'spool_unavailable' }),
    ]);
    // The rest comes when the signature has verified: a small body that is here by then takes no room.
    const request = serialized(own.signed({ key: uploader, ...put(30_000) }));
    const connection = await own.connect();
    connection.write(request.subarray(0, -29_999));
    expect((await own.send(own.signed())).status).toBe(200);
    connection.write(request.subarray(-29_999));
    const other = await connection.read();
    connection.destroy();
    expect([other.status, JSON.parse(other.body)]).toEqual([200, expect.objectContaining({ bytes: 30_000 })]);
  });

  it('leave disk space for the bodies of another, and are refused beyond half of it [G4]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-spool-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const guard = { memoryBodyBytes: 1000, maxBodyBytes: 20_000, spoolDirectory: folder, onTrouble: () => {} };
    const own = await api.variant({ config: { agents: withUploader }, start: { guard } });
    const uploads = await slowUploads(own, 20_000, 70);
    const refused = await Promise.any(uploads.values());
    expect([refused.status, JSON.parse(refused.body)]).toEqual([
      503,
      expect.objectContaining({ code: 'spool_unavailable' }),
    ]);
    expect(own.records.find(({ code }) => code === 'spool_unavailable')).toMatchObject({
      detail: expect.stringContaining('all the disk space that it may have'),
    });
    const other = await own.send(own.signed({ key: uploader, ...put(20_000) }));
    expect([other.status, JSON.parse(other.body)]).toEqual([200, expect.objectContaining({ bytes: 20_000 })]);

    for (const connection of uploads.keys()) connection.write('s');
    const answers = await Promise.all(uploads.values());
    const accepted = answers.filter(({ status }) => status === 200);
    expect(accepted.length).toBeGreaterThan(0);
    expect(accepted.length).toBeLessThanOrEqual(64);
    // The room is free again.
    expect((await own.send(own.signed(put(20_000)))).status).toBe(200);
    expect(readdirSync(folder)).toEqual([]);
  });
});
