import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  agentsFromFile,
  agentsFromJwks,
  agentsFromObjects,
  auditFile,
  cedarFromDirectory,
  createGuard,
  fanOut,
  memoryAudit,
  revocationsFromFile,
} from '../src/index.js';
import { event } from '../../audit/test/events.js';

/*
 * A process in which the listener of one option rejects: `node rejecting-listener.mjs fanOut`. It ends with 0 once the
 * failure has become a warning. As in a strict production, an unhandled rejection ends it.
 */

const folder = mkdtempSync(join(tmpdir(), 'countersign-listener-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'a.cedar');

const listener = async (): Promise<void> => {
  await pause(1);
  throw new Error('the alert could not be sent');
};

const causes: Readonly<Record<string, () => Promise<unknown>>> = {
  async createGuard() {
    const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    writeFileSync(file, 'permit(principal, action, resource);');
    const guard = await createGuard({
      origin: 'https://api.acme.dev',
      agents: agentsFromObjects([{ id: 'agent-a', jwk, capabilities: [] }]),
      policy: await cedarFromDirectory(folder),
      audit: memoryAudit(),
      onTrouble: listener,
    });
    guard.report('trouble');
  },
  async fanOut() {
    const broken = { bestEffort: true, write: () => Promise.reject(new Error('no disk')) };
    const sink = fanOut([memoryAudit(), { sink: broken, onFailure: 'report' }], { onTrouble: listener });
    await sink.write(event('1'));
  },
  async auditFile() {
    const witness = { name: 'away', receive: () => Promise.reject(new Error('no network')) };
    const sink = auditFile(join(folder, 'audit'), { witnesses: [witness], onTrouble: listener });
    await sink.write(event('1'));
    await sink.close?.();
  },
  async cedarFromDirectory() {
    writeFileSync(file, 'permit(principal, action, resource);');
    await cedarFromDirectory(folder, { pollSeconds: 0.05, onReload: listener });
    writeFileSync(file, 'permit(principal, action, resource)');
  },
  async agentsFromFile() {
    writeFileSync(file, '[]');
    await agentsFromFile(file, { pollSeconds: 0.05, onReload: listener });
    writeFileSync(file, '[}');
  },
  async revocationsFromFile() {
    writeFileSync(file, '{}');
    await revocationsFromFile(file, { pollSeconds: 0.05, onReload: listener });
    writeFileSync(file, '[}');
  },
  async agentsFromJwks() {
    const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };
    await agentsFromJwks('http://127.0.0.1:1/', { ...local, onRefresh: listener }).findByThumbprint('x');
  },
};

// Watching does not keep a process alive.
const alive = setInterval(() => {}, 1000);
process.on('warning', ({ message }) => {
  if (message.includes('the alert could not be sent')) clearInterval(alive);
});
await causes[process.argv[2] ?? '']?.();
